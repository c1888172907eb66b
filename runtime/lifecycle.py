"""The life of a request: decide, reserve, dispatch, stream, settle, tell.

The only place that knows this order. Two rules hold everywhere below: nothing reaches a
target before its reserve is durable, and the end of an answer reaches the client only after
its settle is durable. A second attempt is made once, and only while nothing has been sent.
"""

from __future__ import annotations

from models.money import format_usd
from runtime.attempt import Attempt
from runtime.bill import Reckoning
from runtime.errors import (
    BadAnswer,
    BaseloadError,
    NoTarget,
    NotStarted,
    QueueFull,
    QueueTimeout,
    SpillCapped,
    StreamBroken,
    UpstreamFailed,
    UpstreamRejected,
)
from runtime.gateway import Gateway
from runtime.patience import Patience
from runtime.relay import BodyWriter, Relay, Send, head, part
from runtime.request.job import Job
from runtime.targets.error_in_answer import error_of
from runtime.targets.response import Broken, Response
from runtime.targets.upstream import read_answer, read_opening
from runtime.wire.dialect import WholeAnswer
from scheduler.decision import Buy, Dispatch, Outcome
from scheduler.target import Target

ATTEMPTS_MAX = 2
EMPTY = "the target ended its stream before its first words"


async def answer(gateway: Gateway, job: Job, send: Send, writer: BodyWriter | None = None) -> None:
    """Answers one request on an ASGI ``send``, and past it where there is a ``writer``.

    Raises BaseloadError only while nothing has been sent; a later failure becomes an error
    frame. Cancellation (the client left) aborts the target and still bills.
    """
    passage = _Passage(gateway, job, writer)
    observers, is_refused = gateway.observers, False
    with gateway.in_flight.one():
        observers.accepted(job)
        try:
            try:
                await passage.run(send)
            finally:
                passage.abandon()
        except BaseloadError as error:
            is_refused = True
            observers.refused(job.record, error)
            raise
        finally:
            if not is_refused:
                observers.ended(job)


class _Passage:
    """The state of one request under way."""

    def __init__(self, gateway: Gateway, job: Job, writer: BodyWriter | None) -> None:
        self._gateway = gateway
        self._job = job
        self._writer = writer
        self._attempt: Attempt | None = None
        self._response: Response | None = None
        self._dispatched = False  # a target may have begun to work
        self._patience = Patience(gateway, job.request_id)
        self._reckoning = Reckoning(gateway.estimator, job)

    async def run(self, send: Send) -> None:
        attempt, opened = await self._open()
        attempt.first_token()
        if isinstance(opened, Relay):
            await opened.run(send)
        else:
            await self._whole(attempt, opened, send)

    def abandon(self) -> None:
        """Sync on purpose: runs in a ``finally`` whose task may be cancelled again."""
        if self._response is not None:
            self._response.close()  # an unread answer: the target sees the client leave
        attempt = self._attempt
        if attempt is not None and not attempt.ended:
            bill = self._reckoning.bill(attempt.output_tokens_most)
            attempt.abandon(bill, started=self._dispatched)
        self._reckoning.learn_the_rest()

    async def _open(self) -> tuple[Attempt, Relay | WholeAnswer]:
        """An attempt whose target has answered, or has begun to."""
        tried: tuple[Target, ...] = ()
        failed: UpstreamFailed | None = None
        for number in range(1, ATTEMPTS_MAX + 1):
            decision = await self._decide(tried, failed)
            target = self._gateway.target_of(decision, self._job)
            tried += (decision.target,)
            if target is None:  # it has gone, or may no longer be used, since it was chosen
                self._gateway.finish(self._job.request_id, Outcome.CLIENT_LEFT)  # no failure
                continue
            attempt = Attempt(self._gateway, self._job, number, decision, target)
            self._attempt, self._response, self._dispatched = attempt, None, False
            await attempt.begin()
            try:
                return attempt, await self._dispatch(attempt)
            except UpstreamRejected as error:
                await attempt.void(Outcome.CLIENT_ERROR, error.code)
                raise
            except NotStarted as error:
                await attempt.void(error.outcome, error.code, error.pause_s)
                failed = error
            except UpstreamFailed as error:
                bill = self._reckoning.bill(attempt.output_tokens_most)
                await attempt.settle(bill, error.outcome, error.code, error.pause_s)
                failed = error
        raise UpstreamFailed("The model server failed twice before its first token.") from failed

    async def _decide(
        self, tried: tuple[Target, ...], failed: UpstreamFailed | None
    ) -> Dispatch | Buy:
        arrival = self._job.arrival_at(self._gateway.clock.monotonic_s())
        try:
            return await self._gateway.decide(arrival, tried)
        except (NoTarget, QueueFull, QueueTimeout, SpillCapped):
            if failed is None or isinstance(failed, NotStarted):
                raise
            # Work was done and has to be paid: a client that asks again would pay once more.
            raise UpstreamFailed("The model server failed before it answered.") from failed

    async def _dispatch(self, attempt: Attempt) -> Relay | WholeAnswer:
        dialect, request, model = self._job.dialect, self._job.request, attempt.upstream_model
        scanner = self._reckoning.said = dialect.scanner(request, model)
        self._patience.delivered = scanner.delivered
        self._patience.hides_its_start = not (attempt.bought or self._job.streaming)
        self._patience.replica = attempt.replica
        limits = self._gateway.config.stream
        try:
            async with self._patience.lasting():
                header = attempt.trace_header
                call = dialect.upstream_call(request, model)
                upstream, sent = attempt.upstream, self._sent
                response = await upstream.post(call.path, call.body, limits, header, sent)
                self._response = response
                if not self._job.streaming:
                    body = await read_answer(response)
                    return self._looked_at(dialect.whole_answer(request, model, body))
                opened = await read_opening(response, scanner)
        except (Broken, TimeoutError, StreamBroken) as error:
            if not self._dispatched:
                raise NotStarted("the target was not reached in time") from error
            if self._response is not None:
                self._response.close()
            raise UpstreamFailed("the target broke off before its first token") from error
        if not scanner.begun:
            response.close()
            raise error_of(scanner.told_error) if scanner.error else BadAnswer(EMPTY)
        patience, reckoning = self._patience, self._reckoning
        return Relay(attempt, response, opened, scanner, patience, reckoning, self._writer)

    def _sent(self) -> None:
        self._dispatched = True

    def _looked_at(self, answer: WholeAnswer) -> WholeAnswer:
        """An answer that may be sent; else what is wrong with it is raised."""
        self._reckoning.said = answer
        if answer.error is not None:
            raise error_of(answer.error)
        if answer.fault is not None:
            raise BadAnswer(f"the target's answer cannot be used: {answer.fault}")
        return answer

    async def _whole(self, attempt: Attempt, answer: WholeAnswer, send: Send) -> None:
        bill = self._reckoning.bill(attempt.output_tokens_most)
        await attempt.settle(bill, Outcome.OK)
        self._reckoning.learn(bill)
        start = head(200, b"application/json", attempt)
        start["headers"] += [
            (b"content-length", str(len(answer.body)).encode()),
            (b"x-baseload-cost-usd", format_usd(attempt.cost_nano_usd).encode()),
        ]
        await send(start)
        await send(part(answer.body, more=False))
