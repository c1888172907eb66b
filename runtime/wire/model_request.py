"""What everything beyond the wire formats knows of a request, whichever dialect it came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from models.vendors import VendorTerms
from runtime.grammar.constraint import Constraint


class ModelRequest(Protocol):
    """A request that was parsed and found valid."""

    @property
    def model(self) -> str: ...

    @property
    def streaming(self) -> bool: ...

    @property
    def wants_usage(self) -> bool:
        """Whether the client asked to see usage in its stream."""
        ...

    @property
    def wants_usage_often(self) -> bool:
        """Whether it asked to see usage in each frame."""
        ...

    @property
    def choices(self) -> int:
        """How many answers are generated, so how many finish reasons end the stream."""
        ...

    @property
    def answer_tokens_max(self) -> int | None:
        """What the caller allows per choice; None where they leave it to the context."""
        ...

    @property
    def message_count(self) -> int:
        """How many messages a chat template frames; 0 of raw prompts."""
        ...

    @property
    def prompt_field(self) -> str:
        """The field that is too long where a prompt is."""
        ...

    @property
    def prompt_token_counts(self) -> list[int] | None:
        """The exact count of each prompt, where they are token ids; None where they are text."""
        ...

    @property
    def local_only(self) -> str | None:
        """A field for which the request must not be bought, if it has one."""
        ...

    @property
    def taken_everywhere(self) -> bool:
        """Whether no vendor refuses what is sent on."""
        ...

    @property
    def asks_tools(self) -> bool:
        """Whether the model is offered tools to call."""
        ...

    @property
    def asks_structure(self) -> bool:
        """Whether the answer has to be JSON, or of a schema or grammar."""
        ...

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """What has to be checked before an engine compiles it."""
        ...

    def output_tokens_max(self, context_tokens: int) -> int:
        """The most tokens that one choice can have."""
        ...

    def texts(self) -> Iterator[str]:
        """Every text that reaches the prompt."""
        ...

    def other_texts(self) -> Iterator[str]:
        """Every text besides that a target is sent: schemas, stop texts, whatever is a string."""
        ...

    def texts_by_prompt(self) -> Iterator[Iterable[str]]:
        """The same, of each prompt by itself."""
        ...

    def prefix_parts(self) -> Iterator[str]:
        """The prompt from its beginning, as far as two requests can share one in an engine."""
        ...

    def refused_field(self, terms: VendorTerms | None) -> str | None:
        """The field for which such a vendor may not have the request, if it has one; None of terms
        is a vendor that is only known to be OpenAI-compatible."""
        ...

    def upstream_fields(
        self, *, openai_only: bool, terms: VendorTerms | None = None
    ) -> dict[str, Any]:
        """The validated fields in the form that every OpenAI-compatible target reads alike, with
        those beside that the vendor with these terms takes."""
        ...

    def with_defaults(self, *, temperature: float | None, max_tokens: int | None) -> ModelRequest:
        """The request with these where its caller has said nothing."""
        ...

    def ignore(self, names: Iterable[str]) -> None:
        """Adds to what is named in the answer's headers."""
        ...

    def ignored_header(
        self, *, bought: bool, terms: VendorTerms | None = None
    ) -> tuple[tuple[bytes, bytes], ...]:
        """The value of an answer's header: the names of what was sent and has no effect."""
        ...
