"""One attempt at one target, from its ledger reserve to its one ending.

An attempt owns the measured share of the replica and the row that says what was paid. If it
is dropped in any way, ``abandon`` ends it without an await, so a cancelled task still bills.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from models.money import NanoUsd, format_usd
from models.price_terms import bill_text
from runtime.billed_tokens import NOTHING, BilledTokens
from runtime.errors import LedgerUnavailable
from runtime.gateway import Gateway
from runtime.gather_evidence import grounds_of
from runtime.ledger.rows import Ending, Reserve, Settle
from runtime.replica_time_share import share_cost_nano, share_in_words
from runtime.request.job import Job
from runtime.targets.membership import LocalTarget
from runtime.targets.provider_accounts import Account, price_of
from runtime.targets.upstream import Upstream
from runtime.wire.dialect import UpstreamModel
from runtime.wire.tags import Tell
from scheduler.compliance.verdict_grounds import Grounds
from scheduler.decision import Buy, Dispatch, Outcome, Reason
from scheduler.replica import Replica

NOT_RECORDED = "The usage of this answer could not be recorded: it is not billed."

log = logging.getLogger("baseload.attempt")


class Attempt:
    """Built by ``begin``; ended exactly once by ``settle``, ``void`` or ``abandon``."""

    def __init__(
        self,
        gateway: Gateway,
        job: Job,
        number: int,
        decision: Dispatch | Buy,
        target: LocalTarget | Account,
    ) -> None:
        self._gateway = gateway
        self._clock = gateway.clock
        self.job = job.as_of(target.model)
        self.number = number
        self.decision = decision
        self.target = target
        self.config_version = gateway.config_version  # by which the target may be used
        self.grounds: Grounds | None = None  # why the target may have the request
        if (evidence := job.record.evidence) is not None:
            self.grounds = grounds_of(gateway, decision.target, evidence.traits, self.job.model)
        self.held_ms = self._ms_since_arrival()
        self.ttft_ms: int | None = None
        self.cost_nano_usd: NanoUsd = 0
        self._mark: int | None = None
        self._share_ns = 0  # of all replicas that have worked on it
        self.placed_as: str | None = decision.request_id  # at the scheduler; None: nowhere now
        self._continued: list[str] = []  # by whom, after how many tokens
        self._bound_nano_usd: NanoUsd | None = None  # of a purchase: the most that it can cost
        self.served_model: str | None = None  # as the target calls it, where it is another one
        self.is_recorded = False  # what was delivered is on the bill
        self._ended = False
        self._reserved = False

    @property
    def upstream(self) -> Upstream:
        return self.target.upstream

    @property
    def trace_header(self) -> bytes:
        """The caller's trace, for an engine of ours; a vendor is told nothing of our callers."""
        trace = self.job.record.trace
        return b"" if trace is None or self.bought else b"traceparent: %b\r\n" % trace.header()

    @cached_property
    def upstream_model(self) -> UpstreamModel:
        target = self.target
        if isinstance(target, LocalTarget):
            return UpstreamModel(self.job.model)
        return target.speaks.asked_at(self._clock.unix_ms() // 1000)

    @property
    def replica(self) -> Replica | None:
        return self.target.replica if isinstance(self.target, LocalTarget) else None

    @property
    def bought(self) -> bool:
        return isinstance(self.target, Account)

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def output_tokens_most(self) -> int:
        """The most that all answers can have here."""
        if isinstance(self.target, LocalTarget):
            return self.job.output_tokens_most
        return self.target.offer.answer_tokens_most(self.job.arrival)

    @property
    def closing_comment(self) -> bytes:
        """What a stream's caller asked to be told at its end, as a comment: others skip those. A
        header comes before the answer; what it cost is known after it."""
        if self.job.tags.tell is not Tell.COST:
            return b""
        return f": baseload-cost-usd {format_usd(self.cost_nano_usd)}\n\n".encode()

    async def begin(self) -> None:
        """The durable intent. Nothing reaches a target before this returns."""
        self._reserved = True
        row = self._reserve_row()
        try:
            await self._gateway.ledger.reserve(row)
        except LedgerUnavailable:
            self._ended = True  # nothing was written, so there is nothing to end
            self._gateway.finish(self.decision.request_id, Outcome.CLIENT_LEFT)
            raise
        self._gateway.observers.reserved(self.job, row)
        if isinstance(self.target, LocalTarget):
            self._mark = self.target.clock.start(self._clock.monotonic_ns())

    def leave_target(self, outcome: Outcome, pause_s: float | None = None) -> None:
        """The target has broken off what others may go on with: the attempt does not end here."""
        self._stop_clock()
        self._tell_scheduler(outcome, 0, pause_s)

    def _tell_scheduler(self, outcome: Outcome, cost: NanoUsd, pause_s: float | None) -> None:
        if self.placed_as is not None:
            self._gateway.finish(self.placed_as, outcome, cost, pause_s)
            self.placed_as = None

    def go_on_at(self, decision: Dispatch, target: LocalTarget) -> None:
        """The attempt is at a twin of the target that it has left; its row has the time of both."""
        self.target, self.placed_as = target, decision.request_id
        self._mark = target.clock.start(self._clock.monotonic_ns())

    def continued(self, decision: Dispatch, tokens: int) -> None:
        """The twin has said its first words, after so many tokens of others."""
        self.decision = replace(decision, reason=Reason.CONTINUED)
        self._continued.append(f"{decision.target} after {tokens} tokens")
        self._gateway.first_token(decision.request_id)

    def _stop_clock(self) -> None:
        if self._mark is not None and isinstance(self.target, LocalTarget):
            self._share_ns += self.target.clock.stop(self._mark, self._clock.monotonic_ns())
            self._mark = None

    def first_token(self) -> None:
        self.ttft_ms = self._ms_since_arrival()
        self._gateway.first_token(self.decision.request_id)
        self._gateway.observers.first_token(self.job, self.ttft_ms)

    async def settle(
        self, bill: BilledTokens, outcome: Outcome, detail: str = "", pause_s: float | None = None
    ) -> None:
        """Durable when it returns. ``pause_s`` is how long the target asked to be left alone."""
        row = self._end(Ending.SETTLE, bill, outcome, detail, pause_s)
        if row is None:
            return
        try:
            await self._gateway.ledger.settle(row)
        except LedgerUnavailable:
            raise LedgerUnavailable(NOT_RECORDED) from None
        self.is_recorded = True

    async def void(self, outcome: Outcome, detail: str = "", pause_s: float | None = None) -> None:
        """No work was done: the row costs nothing."""
        row = self._end(Ending.VOID, NOTHING, outcome, detail, pause_s)
        if row is not None:
            await self._gateway.ledger.settle(row)

    def abandon(
        self,
        bill: BilledTokens,
        outcome: Outcome = Outcome.CLIENT_LEFT,
        detail: str = "",
        *,
        started: bool,
    ) -> None:
        """Ends the attempt of a cancelled task: the caller left, the process is going down, or a
        rival has won."""
        ending = Ending.SETTLE if started else Ending.VOID
        row = self._end(ending, bill, outcome, detail)
        if row is not None:
            try:
                self._gateway.ledger.settle_detached(row)
            except LedgerUnavailable:
                log.error("%s: its ending was lost, a sweep will write one", self.job.request_id)

    def _end(
        self,
        ending: Ending,
        bill: BilledTokens,
        outcome: Outcome,
        detail: str,
        pause_s: float | None = None,
    ) -> Settle | None:
        if self._ended or not self._reserved:
            return None
        self._ended = True
        self._stop_clock()
        cost, derivation = (0, "no work") if ending is Ending.VOID else self._cost(bill)
        self.cost_nano_usd = cost
        self._tell_scheduler(outcome, cost, pause_s)
        if outcome is Outcome.OK:
            self._gateway.keep_turn(self.job, self.decision.target, bill.cached_tokens)
        row = Settle(
            request_id=self.job.request_id,
            attempt=self.number,
            at_ms=self._clock.unix_ms(),
            ending=ending,
            outcome=f"{outcome.value}: {detail}" if detail else outcome.value,
            prompt_tokens=bill.prompt_tokens,
            cached_tokens=bill.cached_tokens,
            completion_tokens=bill.completion_tokens,
            cost_nano_usd=cost,
            usage_source=bill.source.value,
            derivation=", ".join(filter(None, (derivation, bill.note, *self._notes))),
            held_ms=self.held_ms,
            ttft_ms=self.ttft_ms,
            e2e_ms=self._ms_since_arrival(),
        )
        self.job.record.attempt_ended(self.decision, row)
        self._gateway.observers.attempt_ended(self.job, self.decision, row)
        return row

    @property
    def _notes(self) -> Iterator[str]:
        """For a reader of the ledger: who has answered, where it is not whom the reserve names."""
        if self.served_model is not None:
            yield f"answered by {self.served_model!a}, not {self.upstream_model.name!a}"
        for continued in self._continued:
            yield f"continued by {continued}"

    def _cost(self, bill: BilledTokens) -> tuple[NanoUsd, str]:
        if isinstance(self.target, LocalTarget):
            pool = self.target.pool
            cost = share_cost_nano(self._share_ns, pool.card_hour_nano_usd, pool.cards_per_replica)
            hour_nano, cards = pool.card_hour_nano_usd, pool.cards_per_replica
            return cost, share_in_words(self._share_ns, pool.card, hour_nano, cards)
        price = price_of(self.target)
        prompt = bill.prompt_tokens
        estimated = prompt is None
        if prompt is None:
            prompt = self.job.arrival.prompt_tokens
        cached, written = bill.cached_tokens or 0, bill.cache_write_tokens or 0
        cost = price.cost_nano(prompt, cached, bill.completion_tokens or 0, written)
        words = bill_text(price, written) + (", tokens estimated" if estimated else "")
        if self._bound_nano_usd is not None and cost > self._bound_nano_usd:
            words += f", {cost} nano-USD for the tokens told, not more than the reserve's bound"
            cost = self._bound_nano_usd
        return cost, words

    def _reserve_row(self) -> Reserve:
        job = self.job
        arrival, evidence = job.arrival, job.record.evidence
        if evidence is not None:
            evidence = evidence.under(self.config_version)
        if isinstance(self.target, LocalTarget):
            price_id = f"card {self.target.pool.card}"
            output_tokens_max = arrival.max_output_tokens
        else:
            price_id = price_of(self.target).price_id
            output_tokens_max = self.target.offer.answer_tokens_most(arrival)
            self._bound_nano_usd = self.target.offer.most_nano(arrival)
        return Reserve(
            request_id=job.request_id,
            attempt=self.number,
            owner=self._gateway.ledger.owner,
            at_ms=self._clock.unix_ms(),
            tenant=job.tenant,
            feature=job.tags.feature or "",
            task=job.tags.task or "",
            model=job.model,
            target=str(self.decision.target),
            reason=self.decision.reason.value,
            price_id=price_id,
            prompt_tokens_est=arrival.prompt_tokens,
            output_tokens_max=output_tokens_max,
            bound_nano_usd=self._bound_nano_usd,
            evidence=None if evidence is None else evidence.text(self.grounds),
        )

    def _ms_since_arrival(self) -> int:
        return round((self._clock.monotonic_s() - self.job.arrived_s) * 1000)
