"""The seam between the APIs that clients speak and everything that serves them.

A dialect is one such API: how a request is written, what a target is sent for it, and how an
answer is read and told. Beyond this package nobody knows which dialects there are: a ``Job``
carries its own, and asks it. A further one is a class in this package, an entry in
``runtime.wire.dialect_registry``, and a sample in ``tests/runtime/dialects``, whose tests it has to
pass.

Where client and target speak alike, an answer passes as the bytes in which it came. Where they do
not, ``scanner`` and ``whole_answer`` return readers that translate: they are told the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from models.vendors import VendorTerms
from runtime.errors import BaseloadError
from runtime.wire.continuation import Begun, Kept
from runtime.wire.delivered_tokens import Delivered
from runtime.wire.error_envelope import ErrorForm
from runtime.wire.model_request import ModelRequest
from runtime.wire.reported_usage import Usage


@dataclass(frozen=True, slots=True)
class UpstreamModel:
    """What a dialect has to know of a target to write to it and to read what it answers.

    ``is_vendor``: no fields that only engines of ours know, and the bound on an answer always
    said: the caller's, else ``answer_tokens_max``. ``terms`` are a known vendor's, None where it is
    only known to be OpenAI-compatible; ``asked_unix_s`` is when an answer says that it was made,
    where its target does not. ``tells_token_ids``: it is asked for the ids of the tokens beside the
    text.
    """

    name: str  # of the model, as its target calls it
    is_vendor: bool = False
    answer_tokens_max: int | None = None
    terms: VendorTerms | None = None
    asked_unix_s: int = 0
    tells_token_ids: bool = False

    def asked_at(self, unix_s: int) -> UpstreamModel:
        """The same, of a request that is sent at this time."""
        return UpstreamModel(self.name, self.is_vendor, self.answer_tokens_max, self.terms, unix_s)


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """What a target is sent: ``path`` is below its base URL."""

    path: str
    body: bytes


class Said(Protocol):
    """What has come of an answer: a stream's frames, or all in one piece."""

    @property
    def usage(self) -> Usage | None:
        """What the target told of its tokens; None while that is nothing to believe."""
        ...

    @property
    def cut_off(self) -> bool:
        """Whether a limit or a filter has ended an answer, not the model."""
        ...

    def tokens(self, count: Callable[[str], int]) -> int:
        """About so many were generated; ``count`` tells them of a text."""
        ...


class StreamScanner(Said, Protocol):
    """Reads one stream as it passes, and says which bytes its client may have by now.

    ``begun``: words have come, so no other target can be asked. ``over``: nothing more is passed
    on, by the stream's own end or by ``error``, an error frame or one that cannot be read;
    ``told_error`` is what it says. ``finished``: every choice has come to its end.
    ``served_model`` is the model that has answered, as the target calls it, once words have come.
    """

    delivered: Delivered
    begun: bool
    over: bool
    finished: bool
    error: bytes | None
    told_error: dict[str, Any] | None
    served_model: str | None

    @property
    def finished_choices(self) -> int: ...

    @property
    def tail(self) -> bytes:
        """The end of a finished stream with the dialect's last frame, held back for the bill."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may be sent to the client at once."""
        ...

    def end(self) -> bytes:
        """The same, once the target has ended its answer."""
        ...

    def plain_frames(self, chunk: bytes) -> int:
        """How many whole content frames the chunk is, if it may pass as it is; they are not
        counted. 0 where it has to be fed, so always where it is translated."""
        ...


class RestScanner(StreamScanner, Kept, Protocol):
    """Reads how a twin goes on with an answer, as frames of the client's stream. ``differs``: it
    says something else than the client has, so it is no twin, and nothing of it is passed on."""

    differs: bool


class RestOfAnswer(Protocol):
    """What a twin is asked to go on with."""

    @property
    def tokens_left(self) -> int | None:
        """That the caller allows; None where they leave it to the context."""
        ...

    def call(self, upstream: UpstreamModel, context_tokens_max: int) -> UpstreamCall:
        """What the twin is sent."""
        ...

    def scanner(self) -> RestScanner: ...


class WholeAnswer(Said, Protocol):
    """An answer in one piece: ``body`` is sent unless there is a ``fault``, in a few words;
    ``error`` is what the target told instead of an answer, ``served_model`` who it says it is."""

    body: bytes
    served_model: str | None
    error: dict[str, Any] | None
    fault: str | None


class Dialect(Protocol):
    """One API as its clients speak it. Its instances are constants: they keep nothing."""

    @property
    def route(self) -> str:
        """The path that its clients ask."""
        ...

    @property
    def summary(self) -> str:
        """What the route is, for the documents."""
        ...

    @property
    def request_model(self) -> type[BaseModel]:
        """The fields that a request may have, for the documents."""
        ...

    @property
    def error_form(self) -> ErrorForm: ...

    def api_key(self, headers: Mapping[str, str]) -> str | None:
        """The caller's key as it was sent, not yet looked at; None where there is none."""
        ...

    def parse(self, body: bytes) -> ModelRequest:
        """Raises BaseloadError leaves and nothing else."""
        ...

    def refused_field(self, request: ModelRequest, upstream: UpstreamModel) -> str | None:
        """The field for which a vendor may not have the request: it would answer another one.
        None where there is none; only then may the vendor be sent an ``upstream_call``."""
        ...

    def upstream_call(self, request: ModelRequest, upstream: UpstreamModel) -> UpstreamCall:
        """What a target is sent: written anew, so that only fields that were parsed reach it."""
        ...

    def scanner(self, request: ModelRequest, upstream: UpstreamModel) -> StreamScanner:
        """A reader of the stream that the target answers with."""
        ...

    def kept(self, request: ModelRequest) -> Kept | None:
        """What keeps a stream that answers this, so that a twin of its engine could go on with it;
        None where none could."""
        ...

    def rest(self, request: ModelRequest, begun: Begun) -> RestOfAnswer:
        """The rest is that of a stream that was kept."""
        ...

    def whole_answer(
        self, request: ModelRequest, upstream: UpstreamModel, body: bytes
    ) -> WholeAnswer:
        """The target's answer to a request that was not streamed, read."""
        ...

    def error_frame(self, error: BaseloadError, tokens_billed: int) -> bytes:
        """The last frame of a stream that failed: nothing follows it."""
        ...
