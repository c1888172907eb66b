"""One attempt up to its first words: sent, read while nothing is committed, ended if it fails."""

from __future__ import annotations

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
from runtime.targets.error_in_answer import error_of
from runtime.targets.model_mismatch import is_other_model
from runtime.targets.provider_accounts import Account
from runtime.targets.response import Broken, Response
from runtime.targets.upstream import read_answer, read_opening
from runtime.wire.dialect import StreamScanner, WholeAnswer
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
    ) -> None:
        self.attempt = attempt
        self.reckoning = Reckoning(gateway.estimator, attempt.job)
        self._gateway = gateway
        self._limits = limits.at_model_of(attempt.job)
        self._writer = writer
        self._patience = Patience(gateway, attempt.decision.request_id, limits.until_s)
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
        scanner = self.reckoning.said = dialect.scanner(request, model)
        self._patience.delivered = scanner.delivered
        self._patience.hides_its_start = not (attempt.bought or job.streaming)
        self._patience.replica = attempt.replica
        try:
            async with self._patience.lasting(self._limits.first_token_s_max(attempt.number)):
                call, header = dialect.upstream_call(request, model), attempt.trace_header
                phases, sent = self._gateway.config.stream, self._sent
                response = await attempt.upstream.post(call.path, call.body, phases, header, sent)
                self._response = response
                if not job.streaming:
                    body = await read_answer(response)
                    return self._looked_at(dialect.whole_answer(request, model, body))
                opened = await read_opening(response, scanner)
        except (Broken, TimeoutError, StreamBroken) as error:
            raise self._failure() from error
        return self._relay(scanner, response, opened)

    def _relay(self, scanner: StreamScanner, response: Response, opened: bytes) -> Relay:
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
            self.attempt, response, opened, scanner, self._patience, self.reckoning, self._writer
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
