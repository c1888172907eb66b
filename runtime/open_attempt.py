"""One attempt up to its first words: sent, read while nothing is committed, ended if it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from runtime.attempt import Attempt
from runtime.attempt_limits import AttemptLimits
from runtime.attempt_timeouts import Patience
from runtime.billed_tokens import Reckoning
from runtime.errors import (
    BadAnswer,
    DeadlineExceeded,
    NotStarted,
    OtherModel,
    StreamBroken,
    UpstreamFailed,
    UpstreamRejected,
)
from runtime.gateway import Gateway
from runtime.relay import BodyWriter, Relay
from runtime.request_limits import LIMITS
from runtime.targets.error_in_answer import error_of
from runtime.targets.model_mismatch import is_other_model
from runtime.targets.provider_accounts import Account
from runtime.targets.response import Broken, Response
from runtime.targets.upstream import read_answer, read_opening
from runtime.wire.continuation import Kept
from runtime.wire.dialect import RestOfAnswer, StreamScanner, UpstreamCall, WholeAnswer
from scheduler.decision import Outcome

SERVED_CHARS_MAX = 128  # of a model's name that a target told
EMPTY = "the target ended its stream before its first words"


class Opening:
    """``attempt`` has not begun. What it costs, and what was said in it, is in ``reckoning``."""

    def __init__(
        self,
        gateway: Gateway,
        attempt: Attempt,
        limits: AttemptLimits,
        writer: BodyWriter | None,
        reckoning: Reckoning | None = None,
    ) -> None:
        """``reckoning`` is that of the attempt, if it is under way already."""
        self.attempt = attempt
        self.reckoning = reckoning or Reckoning(gateway.estimator, attempt.job)
        self._gateway = gateway
        self._limits = limits.at_model_of(attempt.job)
        self._writer = writer
        request_id = attempt.placed_as or attempt.decision.request_id
        self._patience = Patience(gateway, request_id, limits.until_s)
        self._response: Response | None = None
        self.failure: UpstreamFailed | None = None
        self._dispatched = False  # the target may have begun to work
        self._began_s = gateway.clock.monotonic_s()

    async def open(self) -> Relay | WholeAnswer:
        """What its target answers, once it has begun to. Raises UpstreamRejected or UpstreamFailed,
        when the attempt has been ended."""
        attempt = self.attempt
        await attempt.begin()
        try:
            return await self._dispatch()
        except UpstreamRejected as error:
            await attempt.void(Outcome.CLIENT_ERROR, error.code)
            raise
        except NotStarted as error:
            self.failure = error
            await attempt.void(error.outcome, error.code, error.pause_s)
            raise
        except UpstreamFailed as error:
            self.failure = error
            bill = self.reckoning.bill(attempt.output_tokens_most)
            await attempt.settle(bill, error.outcome, error.code, error.pause_s)
            raise

    async def go_on(self, rest: RestOfAnswer) -> Relay | None:
        """The target goes on with the answer of an attempt that is under way, and does not end
        here; None where it does not."""
        attempt, scanner = self.attempt, rest.scanner()
        if attempt.replica is None:
            return None
        context_tokens_max = attempt.replica.limits.context_tokens_max
        call = rest.call(attempt.upstream_model, context_tokens_max)
        try:
            response, opened = await self._stream(call, scanner)
            return self._relay(scanner, response, opened, scanner, is_rest=True)
        except UpstreamRejected:
            attempt.leave_target(Outcome.CLIENT_ERROR)
        except UpstreamFailed as error:
            is_well = scanner.differs  # it has answered, if not the same
            outcome = Outcome.CLIENT_LEFT if is_well else error.outcome
            attempt.leave_target(outcome, error.pause_s)
        return None

    def lose(self) -> None:
        """Another was the first to speak. That says nothing of this target, unless it was slow."""
        silent_s = self._gateway.clock.monotonic_s() - self._began_s
        is_slow = self._limits.is_slow(self.attempt.number, silent_s)
        if is_slow:
            self.abandon(Outcome.TARGET_FAILED, Outcome.HEDGE_LOST.value)
        else:
            self.abandon(Outcome.HEDGE_LOST)

    def abandon(self, outcome: Outcome = Outcome.CLIENT_LEFT, detail: str = "") -> None:
        """Sync on purpose: runs in a ``finally`` whose task may be cancelled again."""
        if self._response is not None:
            self._response.close()  # an unread answer: the target sees the client leave
        attempt = self.attempt
        if not attempt.ended:
            bill = self.reckoning.bill(attempt.output_tokens_most)
            attempt.abandon(bill, outcome, detail, started=self._dispatched)

    async def _dispatch(self) -> Relay | WholeAnswer:
        job, attempt = self.attempt.job, self.attempt
        dialect, request, model = job.dialect, job.request, attempt.upstream_model
        kept = self._kept()
        if kept is not None:
            model = replace(model, tells_token_ids=True)
        call, scanner = dialect.upstream_call(request, model), dialect.scanner(request, model)
        if job.streaming:
            return self._relay(scanner, *await self._stream(call, scanner), kept)
        body = await self._whole(call, scanner)
        return self._looked_at(dialect.whole_answer(request, model, body))

    def _kept(self) -> Kept | None:
        """What keeps the answer for a twin, where there is one that might be asked."""
        attempt, gateway = self.attempt, self._gateway
        job, worst = attempt.job, attempt.job.arrival.worst
        is_possible = gateway.config.stream.continue_on_twin and job.streaming
        if attempt.bought or not is_possible or attempt.number >= self._limits.attempts_max:
            return None
        if worst is None or worst.prompt_tokens > LIMITS.continued_prompt_tokens_max:
            return None
        kept = job.dialect.kept(job.request)
        if kept is None:
            return None
        twins = sum(target.model == job.model for target in gateway.locals.values())
        return kept if twins > 1 else None

    async def _stream(self, call: UpstreamCall, scanner: StreamScanner) -> tuple[Response, bytes]:
        """A stream that has begun, or has ended without, and what may be sent of it."""
        self._watched(scanner)
        async with self._asking(call) as response:
            return response, await read_opening(response, scanner)

    async def _whole(self, call: UpstreamCall, scanner: StreamScanner) -> bytes:
        self._watched(scanner)
        async with self._asking(call) as response:
            return await read_answer(response)

    def _watched(self, scanner: StreamScanner) -> None:
        self.reckoning.said = scanner
        self._patience.delivered = scanner.delivered
        self._patience.hides_its_start = not (self.attempt.bought or self.attempt.job.streaming)
        self._patience.replica = self.attempt.replica

    @asynccontextmanager
    async def _asking(self, call: UpstreamCall) -> AsyncIterator[Response]:
        """Raises UpstreamRejected or UpstreamFailed, for what happens inside, too."""
        attempt, header = self.attempt, self.attempt.trace_header
        phases, sent = self._gateway.config.stream, self._sent
        try:
            async with self._patience.lasting(self._limits.first_token_s_max(attempt.number)):
                response = await attempt.upstream.post(call.path, call.body, phases, header, sent)
                self._response = response
                yield response
        except (Broken, TimeoutError, StreamBroken) as error:
            raise self._failure() from error

    def _relay(
        self,
        scanner: StreamScanner,
        response: Response,
        opened: bytes,
        kept: Kept | None,
        *,
        is_rest: bool = False,
    ) -> Relay:
        if not scanner.begun:
            response.close()
            told, terms = scanner.told_error, self.attempt.upstream.terms
            raise error_of(told, terms) if scanner.error else BadAnswer(EMPTY)
        try:
            self._check_served(scanner.served_model)
        except OtherModel:
            response.close()
            raise
        return Relay(
            self.attempt,
            response,
            opened,
            scanner,
            self._patience,
            self.reckoning,
            self._writer,
            kept,
            is_rest=is_rest,
        )

    def _sent(self) -> None:
        self._dispatched = True

    def _failure(self) -> UpstreamFailed:
        """What it is that no answer came, or that it broke off."""
        outcome = Outcome.TARGET_FAILED
        if self._patience.is_overdue and not self._was_slow():
            outcome = Outcome.DEADLINE  # it had less time than it may have
        if not self._dispatched:
            return NotStarted("the target was not reached in time", outcome=outcome)
        if self._response is not None:
            self._response.close()
        if self._patience.is_overdue:
            return DeadlineExceeded(outcome=outcome)
        return UpstreamFailed("the target broke off before its first token")

    def _was_slow(self) -> bool:
        return self._limits.is_slow(self.attempt.number, self._patience.silent_s)

    def _looked_at(self, answer: WholeAnswer) -> WholeAnswer:
        """An answer that may be sent; else what is wrong with it is raised."""
        self.reckoning.said = answer
        if answer.error is not None:
            raise error_of(answer.error, self.attempt.upstream.terms)
        if answer.fault is not None:
            raise BadAnswer(f"the target's answer cannot be used: {answer.fault}")
        self._check_served(answer.served_model)
        return answer

    def _check_served(self, served: str | None) -> None:
        """Another model than the one that was asked for is noted; raises OtherModel where it is
        refused."""
        attempt = self.attempt
        if served is None or served == attempt.upstream_model.name:
            return
        account = attempt.target if isinstance(attempt.target, Account) else None
        names = account.served_as if account else ()
        if not is_other_model(attempt.upstream_model.name, served, names):
            return
        attempt.served_model = served[:SERVED_CHARS_MAX]
        self._gateway.observers.other_model(self.attempt.job, attempt.decision)
        if account and account.refuses_other_model:
            raise OtherModel
