"""The life of a request: decide, reserve, dispatch, stream, settle, tell.

The only place that knows this order. Two rules hold everywhere below: nothing reaches a
target before its reserve is durable, and the end of an answer reaches the client only after
its settle is durable. Another attempt is made only while nothing has been sent, at a target that
has not failed this request, and as long as the request's limits leave one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from math import ceil, inf

from models.money import format_usd
from runtime.attempt import Attempt
from runtime.attempt_limits import limits_of
from runtime.billed_tokens import Reckoning
from runtime.errors import (
    BaseloadError,
    DeadlineExceeded,
    NoTarget,
    NotStarted,
    QueueFull,
    QueueTimeout,
    SpillCapped,
    UpstreamFailed,
    VendorsLimited,
)
from runtime.gateway import Gateway
from runtime.hedge import first_to_speak
from runtime.open_attempt import Opening
from runtime.relay import BodyWriter, Relay, Send, head, part
from runtime.request.job import Job
from runtime.still_allowed import require_place, target_of
from runtime.targets.membership import LocalTarget
from runtime.wire.continuation import Begun
from runtime.wire.dialect import WholeAnswer
from scheduler.decision import Buy, Dispatch, Outcome, Reason
from scheduler.target import Target

OVERDUE = "The time of the request was up before a model server had taken it."


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
        self._limits = limits_of(gateway.config.stream, job)
        self._check = partial(require_place, gateway, job)  # it may still go somewhere
        self._tried: tuple[Target, ...] = ()
        self._number = 0  # of the last attempt
        self._openings: list[Opening] = []
        self._reckoning = Reckoning(gateway.estimator, job)  # of the last one

    async def run(self, send: Send) -> None:
        attempt, opened = await self._open()
        attempt.first_token()
        if isinstance(opened, Relay):
            await opened.run(send, partial(self._go_on, attempt))
        else:
            await self._whole(attempt, opened, send)

    def abandon(self) -> None:
        """Sync on purpose: runs in a ``finally`` whose task may be cancelled again."""
        for opening in self._openings:
            opening.abandon()
        self._reckoning.learn_the_rest()

    async def _open(self) -> tuple[Attempt, Relay | WholeAnswer]:
        """An attempt whose target has answered, or has begun to."""
        failed: UpstreamFailed | None = None
        while self._number < self._limits.attempts_max:
            opening = self._opening_at(await self._decide(failed))
            if opening is None:
                continue
            try:
                return await self._first_to_speak(opening)
            except DeadlineExceeded:
                raise
            except UpstreamFailed as error:
                failed = error
        message = "Every model server that was asked failed before its first token."
        raise self._all_limited() or UpstreamFailed(message) from failed

    def _all_limited(self) -> VendorsLimited | None:
        """Where nothing but limits of targets kept the request from an answer, and none of them
        began: when the first of them has room again."""
        failures = [opening.failure for opening in self._openings]
        limited = [
            each
            for each in failures
            if isinstance(each, NotStarted) and each.outcome is Outcome.RATE_LIMITED
        ]
        if not limited or len(limited) < len(failures):
            return None
        pauses = [each.pause_s for each in limited if each.pause_s is not None]
        return VendorsLimited(retry_after_s=max(1, ceil(min(pauses))) if pauses else None)

    async def _first_to_speak(self, opening: Opening) -> tuple[Attempt, Relay | WholeAnswer]:
        after_s = self._limits.hedge_after_s
        if after_s == inf:
            return opening.attempt, await opening.open()
        winner, opened = await first_to_speak(opening, after_s, self._rival)
        self._reckoning = winner.reckoning
        return winner.attempt, opened

    def _rival(self) -> Opening | None:
        """At the scheduler it is a request of its own."""
        if self._number >= self._limits.attempts_max or self._gateway.draining:
            return None
        arrival = self._job.arrival_at(self._gateway.clock.monotonic_s())
        rival_id = f"{self._job.request_id}+{self._number + 1}"
        beside = replace(arrival, request_id=rival_id)
        decision = self._gateway.decide_at_once(beside, self._tried)
        if decision is None:
            return None
        self._gateway.observers.decided(arrival, decision)
        return self._opening_at(replace(decision, reason=Reason.HEDGE))

    async def _go_on(self, attempt: Attempt, begun: Begun) -> Relay | None:
        """The rest of an answer that its replica broke off, of a twin; None where none goes on. It
        is the same attempt, with one bill."""
        gateway, job = self._gateway, attempt.job
        rest = job.dialect.rest(job.request, begun)
        if rest.tokens_left is not None and rest.tokens_left < 1:
            return None
        attempt.leave_target(Outcome.TARGET_FAILED)
        while self._number < self._limits.attempts_max and not gateway.draining:
            decision = await self._twin(attempt)
            if decision is None:
                return None
            opening = Opening(gateway, attempt, self._limits, self._writer, self._reckoning)
            self._openings.append(opening)
            if (relay := await opening.go_on(rest)) is not None:
                attempt.continued(decision, begun.tokens)
                return relay
        return None

    async def _twin(self, attempt: Attempt) -> Dispatch | None:
        """A replica with the same weights, which has the attempt from here on."""
        gateway, now_s = self._gateway, self._gateway.clock.monotonic_s()
        silence_s_max = gateway.config.stream.inter_token_ms_max / 1000
        arrival = attempt.job.arrival_at(now_s)
        arrival = replace(arrival, offers=frozenset(), alternatives=())
        try:
            async with asyncio.timeout(min(silence_s_max, self._limits.until_s - now_s)):
                decision = await gateway.decide(arrival, self._tried, self._check)
            self._tried += (decision.target,)
            self._number += 1
            target = target_of(gateway, decision, attempt.job)
            if isinstance(decision, Dispatch) and isinstance(target, LocalTarget):
                attempt.go_on_at(decision, target)
                return decision
        except (BaseloadError, TimeoutError):
            attempt.leave_target(Outcome.CLIENT_LEFT)
            return None
        gateway.finish(decision.request_id, Outcome.CLIENT_LEFT)  # no failure
        return None

    def _opening_at(self, decision: Dispatch | Buy) -> Opening | None:
        """None if the target has gone, or may no longer be used, since it was chosen."""
        gateway, job = self._gateway, self._job
        self._tried += (decision.target,)
        self._number += 1
        target = target_of(gateway, decision, job)
        if target is None:
            gateway.finish(decision.request_id, Outcome.CLIENT_LEFT)  # no failure
            return None
        attempt = Attempt(gateway, job, self._number, decision, target)
        opening = Opening(gateway, attempt, self._limits, self._writer)
        self._openings.append(opening)
        self._reckoning = opening.reckoning
        return opening

    async def _decide(self, failed: UpstreamFailed | None) -> Dispatch | Buy:
        now_s = self._gateway.clock.monotonic_s()
        left_s = self._limits.until_s - now_s
        try:
            if left_s <= 0:
                raise QueueTimeout(OVERDUE)
            arrival = self._job.arrival_at(now_s)
            if left_s == inf:
                return await self._gateway.decide(arrival, self._tried, self._check)
            async with asyncio.timeout(left_s):
                return await self._gateway.decide(arrival, self._tried, self._check)
        except TimeoutError:
            refusal: BaseloadError = QueueTimeout(OVERDUE)
        except (NoTarget, QueueFull, QueueTimeout, SpillCapped) as error:
            refusal = error
        if isinstance(refusal, NoTarget) and (limited := self._all_limited()) is not None:
            raise limited from failed
        if failed is None or isinstance(failed, NotStarted):
            raise refusal
        # Work was done and has to be paid: a client that asks again would pay once more.
        raise UpstreamFailed("The model server failed before it answered.") from failed

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
