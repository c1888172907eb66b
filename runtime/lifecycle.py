"""The life of a request: decide, reserve, dispatch, stream, settle, tell.

The only place that knows this order. Two rules hold everywhere below: nothing reaches a
target before its reserve is durable, and the end of an answer reaches the client only after
its settle is durable. A second attempt is made once, and only before the first byte.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Any

from models.money import format_usd
from runtime.attempt import Attempt
from runtime.bill import NOTHING, Bill, learn
from runtime.errors import (
    BaseloadError,
    LedgerUnavailable,
    NotStarted,
    StreamBroken,
    StreamStalled,
    UpstreamFailed,
    UpstreamRejected,
    frame,
)
from runtime.gateway import Gateway
from runtime.http.body_writer import BodyWriter
from runtime.http.choices import CUT_OFF_REASONS, each_choice, finish_reason, words
from runtime.http.response import Broken, Response
from runtime.http.sse import FrameScanner
from runtime.http.usage import Tally
from runtime.job import Job
from runtime.upstream import read_answer
from scheduler.decision import Outcome

ATTEMPTS_MAX = 2
LAST_FRAME_S_MAX = 1.0  # for a client that may have stopped reading

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def answer(gateway: Gateway, job: Job, send: Send, writer: BodyWriter | None = None) -> None:
    """Answers one request on an ASGI ``send``, and past it where there is a ``writer``.

    Raises BaseloadError only while nothing has been sent; a later failure becomes an error
    frame. Cancellation (the client left) aborts the target and still bills.
    """
    passage = _Passage(gateway, job, writer)
    with gateway.underway():
        try:
            await passage.run(send)
        finally:
            passage.abandon()


class _Passage:
    """The state of one request under way; also what the stall watchdog sees."""

    def __init__(self, gateway: Gateway, job: Job, writer: BodyWriter | None) -> None:
        self._gateway = gateway
        self._job = job
        self._writer = writer
        self._attempt: Attempt | None = None
        self._response: Response | None = None
        self._dispatched = False  # a target may have begun to work
        self._patience: asyncio.Timeout | None = None
        self._scanner = FrameScanner(
            wants_usage=job.request.wants_usage, choices=job.request.choices
        )
        self._stalled = False
        self._learned = False

    # -- the watchdog's view ------------------------------------------------------------

    @property
    def tokens_out(self) -> int:
        return self._scanner.frames

    @property
    def hides_its_start(self) -> bool:
        local = self._attempt is not None and not self._attempt.bought
        return local and not self._job.streaming

    def stall(self) -> None:
        """Ends whatever is waited for: the target's next bytes, or a client that reads none."""
        if self._patience is not None and not self._stalled:
            self._stalled = True
            self._patience.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Inside, the watchdog looks on; TimeoutError when it loses its patience."""
        self._stalled = False
        self._gateway.watch(self._job.request_id, self)
        try:
            async with asyncio.timeout(None) as self._patience:
                yield
        finally:
            self._patience = None
            self._gateway.unwatch(self._job.request_id)

    # -- the order of things ------------------------------------------------------------

    async def run(self, send: Send) -> None:
        attempt, response, first = await self._open()
        attempt.first_token()
        if self._job.streaming:
            await self._stream(attempt, response, first, send)
        else:
            await self._whole(attempt, first, send)

    def abandon(self) -> None:
        """Sync on purpose: runs in a ``finally`` whose task may be cancelled again."""
        if self._response is not None:
            self._response.close()  # an unread answer: the target sees the client leave
        if self._attempt is not None and not self._attempt.ended:
            self._attempt.abandon(self._bill(self._attempt), started=self._dispatched)
        if not self._learned:
            tokens = self._delivered_tokens() // self._job.request.choices
            self._gateway.estimator.learn_answer(self._job.kind, tokens, is_complete=False)

    async def _open(self) -> tuple[Attempt, Response, bytes]:
        """An attempt whose target has begun to answer, with the first bytes of it."""
        failed_target: str | None = None
        failed: BaseloadError | None = None
        for number in range(1, ATTEMPTS_MAX + 1):
            arrival = self._job.arrival_at(time.monotonic())
            decision = await self._gateway.decide(arrival, failed_target)
            target = self._gateway.target_of(decision, self._job)
            failed_target = decision.target
            if target is None:  # it has gone, or may no longer be used, since it was chosen
                self._gateway.finish(self._job.request_id, Outcome.TARGET_FAILED)
                continue
            attempt = Attempt(self._gateway, self._job, number, decision, target)
            self._attempt, self._response, self._dispatched = attempt, None, False
            await attempt.begin()
            try:
                return attempt, *await self._dispatch(attempt)
            except UpstreamRejected as error:
                await attempt.void(Outcome.CLIENT_ERROR, error.code)
                raise
            except NotStarted as error:
                await attempt.void(error.outcome, error.code, error.pause_s)
                failed = error
            except UpstreamFailed as error:
                await attempt.settle(NOTHING, error.outcome, error.code, error.pause_s)
                failed = error
        raise UpstreamFailed("The model server failed twice before its first token.") from failed

    async def _dispatch(self, attempt: Attempt) -> tuple[Response, bytes]:
        body = attempt.body()
        limits = self._gateway.config.stream
        try:
            async with self._watched():
                self._dispatched = True
                traced = attempt.trace_header
                response = await attempt.upstream.post(self._job.path, body, limits, traced)
                self._response = response
                if not self._job.streaming:
                    return response, await read_answer(response)
                first = await response.read()
        except (Broken, TimeoutError, StreamBroken) as error:
            if self._response is not None:
                self._response.close()
            raise UpstreamFailed("the target broke off before its first token") from error
        if not first:
            raise UpstreamFailed("the target closed the stream before its first token")
        return response, first

    async def _stream(self, attempt: Attempt, response: Response, chunk: bytes, send: Send) -> None:
        scanner = self._scanner
        response.take = self._pass_on
        failure: BaseloadError | None = None
        sending = True
        try:
            async with self._watched():
                with self._writer.together() if self._writer else nullcontext():
                    await send(_start(200, b"text/event-stream; charset=utf-8", attempt))
                    if passed := scanner.feed(chunk):
                        await send(_part(passed, more=True))
                sending = False
                while not scanner.over and (chunk := await response.read()):
                    sending = True
                    if passed := scanner.feed(chunk):
                        await send(_part(passed, more=True))
                    sending = False
        except (Broken, TimeoutError):
            failure = self._broken()
        else:
            failure = self._broken() if _incomplete(scanner) else None
        finally:
            response.take = None
        if sending:  # the client has stopped reading: nothing more can be told to it
            response.close()
            attempt.abandon(self._bill(attempt), started=True)
            return
        bill = self._bill(attempt)
        failure = await self._settle(attempt, bill, failure)
        if failure is None:
            await send(_part(attempt.closing_comment + scanner.tail, more=False))
            return
        response.close()
        self._job.record.error = failure.code
        last = frame(failure, bill.completion_tokens or 0)
        with suppress(TimeoutError):  # then the connection just ends
            await asyncio.wait_for(send(_part(last, more=False)), LAST_FRAME_S_MAX)

    def _pass_on(self, chunk: bytes) -> bool:
        """Frames that need no more than to be sent, to a client that reads."""
        frames = self._scanner.plain_frames(chunk)
        if not frames or self._writer is None or not self._writer.write(chunk):
            return False
        self._scanner.delivered.add(chunk, frames)
        return True

    async def _settle(
        self, attempt: Attempt, bill: Bill, failure: BaseloadError | None
    ) -> BaseloadError | None:
        """Bills a stream that has ended; returns what is wrong with it for the client."""
        try:
            if failure is not None:
                await attempt.settle(bill, Outcome.TARGET_FAILED, failure.code)
                return failure
            await attempt.settle(bill, Outcome.OK)
        except LedgerUnavailable as error:  # an end that was not billed is not told
            return failure or error
        self._learn(bill, cut_off=self._scanner.cut_off)
        return None

    async def _whole(self, attempt: Attempt, body: bytes, send: Send) -> None:
        tally = Tally()
        try:
            told = json.loads(body)
            tally.add(told)
        except (ValueError, AttributeError, RecursionError) as error:
            await attempt.settle(NOTHING, Outcome.TARGET_FAILED, "bad_answer")
            raise UpstreamFailed("The model server's answer was not understood.") from error
        text = "".join(map(words, each_choice(told)))
        sent = partial(self._gateway.estimator.answer_tokens, self._job.model, text)
        bill = Bill.of(tally.usage, attempt.output_tokens_most, sent)
        await attempt.settle(bill, Outcome.OK)
        cut_off = any(finish_reason(each) in CUT_OFF_REASONS for each in each_choice(told))
        self._learn(bill, cut_off=cut_off)
        start = _start(200, b"application/json", attempt)
        cost = format_usd(attempt.cost_nano_usd).encode()
        start["headers"] += [
            (b"content-length", str(len(body)).encode()),
            (b"x-baseload-cost-usd", cost),
        ]
        await send(start)
        await send(_part(body, more=False))

    def _broken(self) -> BaseloadError:
        if self._stalled:
            return StreamStalled("The model server sent no token for too long.")
        return StreamBroken("The model server broke off its answer.")

    def _bill(self, attempt: Attempt) -> Bill:
        """Of a stream, as far as it has come."""
        return Bill.of(self._scanner.usage, attempt.output_tokens_most, self._delivered_tokens)

    def _delivered_tokens(self) -> int:
        count = partial(self._gateway.estimator.answer_tokens, self._job.model)
        return self._scanner.delivered.tokens(count)

    def _learn(self, bill: Bill, *, cut_off: bool) -> None:
        """From an answer that has come to its end."""
        self._learned = True
        learn(self._gateway.estimator, self._job, bill, cut_off=cut_off)


def _incomplete(scanner: FrameScanner) -> bool:
    return scanner.error is not None or not (scanner.finished and scanner.done)


def _start(status: int, content_type: bytes, attempt: Attempt) -> dict[str, Any]:
    decision = attempt.decision
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", content_type),
            (b"cache-control", b"no-store"),
            (b"x-baseload-target", decision.target.encode()),
            (b"x-baseload-reason", decision.reason.value.encode()),
            (b"x-baseload-model", attempt.job.model.encode()),
            (b"x-baseload-held-ms", str(attempt.held_ms).encode()),
        ],
    }


def _part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
