"""A stream on its way from its target to its client, from its first bytes to its settled end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Protocol
from urllib.parse import quote

from runtime.attempt import Attempt
from runtime.attempt_timeouts import Patience
from runtime.billed_tokens import BilledTokens, Reckoning
from runtime.errors import (
    BaseloadError,
    DeadlineExceeded,
    Draining,
    LedgerUnavailable,
    StreamBroken,
    StreamStalled,
    UpstreamRejected,
)
from runtime.targets.error_in_answer import error_of
from runtime.targets.response import Broken, Response
from runtime.wire.continuation import Begun, Kept
from runtime.wire.dialect import StreamScanner
from scheduler.decision import Outcome

_UNCHANGED = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
LAST_FRAME_S_MAX = 1.0  # for a client that may have stopped reading

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class BodyWriter(Protocol):
    """A way to the client's connection that is shorter than ASGI's ``send``."""

    def together(self) -> AbstractContextManager[None]:
        """What is sent inside leaves when it ends, in one write. An answer must not end inside."""
        ...

    def write(self, part: bytes) -> bool:
        """A part of a body that goes on. False if nothing was written: then ``send`` it."""
        ...


# The relay of another target, which goes on with what was begun; None where none does.
GoOn = Callable[[Begun], Awaitable["Relay | None"]]


class Relay:
    """``opened`` is what may be sent of what was read of the ``response``. With what is ``kept`` of
    it another target could go on; ``is_rest``: this one does, in an answer that has its head."""

    def __init__(
        self,
        attempt: Attempt,
        response: Response,
        opened: bytes,
        scanner: StreamScanner,
        patience: Patience,
        reckoning: Reckoning,
        writer: BodyWriter | None,
        kept: Kept | None = None,
        *,
        is_rest: bool = False,
    ) -> None:
        self._attempt = attempt
        self._response = response
        self._opened = opened
        self._scanner = scanner
        self._patience = patience
        self._reckoning = reckoning
        self._writer = writer
        self._kept = kept
        self._is_rest = is_rest

    async def run(self, send: Send, go_on: GoOn) -> None:
        """Passes on what may be, bills, and only then tells the end: unless another goes on."""
        attempt, response = self._attempt, self._response
        failure, is_read = await self._pass(send)
        if is_read and (rest := await self._rest(failure, go_on)) is not None:
            await rest.run(send, go_on)
            return
        bill = self._reckoning.bill(attempt.output_tokens_most)
        if not is_read:  # nothing more can be told to the client
            response.close()
            attempt.abandon(bill, started=True)
            return
        failure = await self._settle(bill, failure)
        if failure is None:
            tail = self._shown(self._scanner.tail)
            await send(part(attempt.closing_comment + tail, more=False))
            return
        response.close()
        attempt.job.record.error = failure.code
        tokens = bill.completion_tokens if attempt.is_recorded else 0
        last = attempt.job.dialect.error_frame(failure, tokens or 0)
        with suppress(TimeoutError):  # then the connection just ends
            await asyncio.wait_for(send(part(last, more=False)), LAST_FRAME_S_MAX)

    async def _rest(self, failure: BaseloadError | None, go_on: GoOn) -> Relay | None:
        """Of an answer that its target broke off; None where nobody goes on with it."""
        if self._kept is None or not isinstance(failure, StreamBroken | StreamStalled):
            return None
        begun = self._kept.so_far()
        if begun is None:
            return None
        self._response.close()
        return await go_on(begun)

    def _shown(self, frames: bytes) -> bytes:
        """What the client may see of what is passed on."""
        if self._kept is None:
            return frames
        shown, ids = self._kept.read(frames)
        self._kept.note(frames, ids)
        return shown

    async def _pass(self, send: Send) -> tuple[BaseloadError | None, bool]:
        """What is wrong with the stream, and whether its client reads."""
        scanner, response = self._scanner, self._response
        response.take = self._pass_on
        is_read = is_ended = False
        try:
            async with self._patience.lasting():
                with self._writer.together() if self._writer else nullcontext():
                    if not self._is_rest:
                        await send(head(200, b"text/event-stream; charset=utf-8", self._attempt))
                    if self._opened:
                        await send(part(self._shown(self._opened), more=True))
                is_read = True
                while not scanner.over and not is_ended:
                    chunk = await response.read()
                    is_read, is_ended = False, not chunk
                    if passed := scanner.end() if is_ended else scanner.feed(chunk):
                        await send(part(self._shown(passed), more=True))
                    is_read = True
        except (Broken, TimeoutError):
            return self._broken(), is_read
        finally:
            response.take = None
        return (None if scanner.finished else self._broken()), is_read

    def _pass_on(self, chunk: bytes) -> bool:
        """Frames that need no more than to be sent, to a client that reads."""
        scanner, kept, shown, ids = self._scanner, self._kept, chunk, b""
        if kept is not None:
            if (read := kept.read_plain(chunk)) is None:
                return False
            shown, ids = read
        frames = scanner.plain_frames(shown)
        if not frames or self._writer is None or not self._writer.write(shown):
            return False
        if kept is not None:
            kept.note(chunk, ids)
        scanner.delivered.add(shown, frames)
        return True

    async def _settle(
        self, bill: BilledTokens, failure: BaseloadError | None
    ) -> BaseloadError | None:
        """Bills a stream that has ended; returns what is wrong with it for the client."""
        try:
            if failure is not None:
                await self._attempt.settle(bill, _outcome_of(failure), failure.code)
                return failure
            await self._attempt.settle(bill, Outcome.OK)
        except LedgerUnavailable as error:  # an end that was not billed is not told
            return failure or error
        self._reckoning.learn(bill)
        return None

    def _broken(self) -> BaseloadError:
        if self._patience.is_lost and self._patience.is_draining:
            return Draining("This server is shutting down: the answer ends before its end.")
        if self._patience.is_lost:
            return StreamStalled("The model server sent no token for too long.")
        if self._patience.is_overdue:
            return DeadlineExceeded(outcome=Outcome.DEADLINE)
        if self._scanner.told_error is not None:
            told = error_of(self._scanner.told_error, self._attempt.upstream.terms)
            if isinstance(told, UpstreamRejected):  # its form leaves no token to go on with
                return told
        choices, finished = self._attempt.job.request.choices, self._scanner.finished_choices
        if 0 < finished < choices:  # a vendor that does not know n, too
            return StreamBroken(f"The model server completed {finished} of {choices} answers.")
        return StreamBroken("The model server broke off its answer.")


def _outcome_of(failure: BaseloadError) -> Outcome:
    """Of a stream that broke off."""
    if isinstance(failure, DeadlineExceeded):
        return failure.outcome
    is_callers = isinstance(failure, UpstreamRejected)
    return Outcome.CLIENT_ERROR if is_callers else Outcome.TARGET_FAILED


def head(status: int, content_type: bytes, attempt: Attempt) -> dict[str, Any]:
    """The start of an answer, as ASGI has it."""
    decision = attempt.decision
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", content_type),
            (b"cache-control", b"no-store"),
            (b"x-baseload-target", str(decision.target).encode()),
            (b"x-baseload-reason", decision.reason.value.encode()),
            (b"x-baseload-model", attempt.job.model.encode()),
            (b"x-baseload-config", attempt.config_version.encode()),
            (b"x-baseload-held-ms", str(attempt.held_ms).encode()),
            *attempt.job.request.ignored_header(
                bought=attempt.bought, terms=attempt.upstream.terms
            ),
            *_registration(attempt),
        ],
    }


def _registration(attempt: Attempt) -> tuple[tuple[bytes, bytes], ...]:
    """Where a rule wants a registered model, its users have to be shown which one it is."""
    registration = None if attempt.grounds is None else attempt.grounds.registration
    if registration is None:
        return ()
    return (
        (b"x-baseload-registered-model", _in_header(registration.model_name)),
        (b"x-baseload-registration", _in_header(registration.number)),
    )


def _in_header(text: str) -> bytes:
    """Headers hold ASCII: all else, and what would be taken for it, is percent-encoded UTF-8."""
    return quote(text, safe=_UNCHANGED).encode()


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
