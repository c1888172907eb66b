"""What must hold for every request, kept from the actions alone.

The account shares no code with the scheduler: a request is pending, placed or ended, each change
is checked, and so is each limit that a purchase could pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from scheduler.arrival import Arrival
from scheduler.decision import Action, Buy, Dispatch, Hold, Reason, Reject
from scheduler.offer import Offer
from scheduler.replica import Replica
from scheduler.settings import Settings
from scheduler.target import Target, TargetKind

HOUR_S, MINUTE_S = 3600.0, 60.0
Boot = tuple[str, int]


def boot_of(replica: Replica) -> Boot:
    return replica.replica_id, replica.generation


@dataclass(slots=True)
class Purchase:
    tenant: str
    offer_id: str
    at: float
    nano: int  # the most it may cost, then what it did cost
    tokens: int


@dataclass(slots=True)
class Account:
    settings: Settings
    offers: dict[str, Offer]
    arrivals: dict[str, Arrival] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)  # until when it must be decided
    placed: dict[str, Dispatch | Buy] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    live: dict[str, Replica] = field(default_factory=dict)
    on: dict[str, Boot] = field(default_factory=dict)  # by request
    excluded: dict[str, set[Boot | Target]] = field(default_factory=dict)
    purchases: list[Purchase] = field(default_factory=list)
    running: dict[str, Purchase] = field(default_factory=dict)

    def take(self, actions: Sequence[Action], now: float, newcomer: str | None = None) -> None:
        """Exactly one action for a newcomer, and at most one for each who was held."""
        told = Counter(action.request_id for action in actions)
        assert newcomer is None or told[newcomer] == 1
        for action in actions:
            request_id = action.request_id
            assert told[request_id] == 1
            assert (request_id == newcomer) != (request_id in self.held)
            assert request_id not in self.placed
            assert request_id not in self.ended
            self._take(action, self.arrivals[request_id], now)

    def _take(self, action: Action, request: Arrival, now: float) -> None:
        request_id = request.request_id
        if isinstance(action, Hold):
            wait_ms = request.deadline_ms or self.settings.queue.wait_ms_max
            self.held[request_id] = now + wait_ms / 1000
            return
        was_held = self.held.pop(request_id, None) is not None
        if isinstance(action, Reject):
            assert action.retry_after_s is None or action.retry_after_s >= 1
            assert not (was_held and action.reason is Reason.QUEUE_FULL)
            self.ended[request_id] += 1
            return
        self.placed[request_id] = action
        assert (action.reason is Reason.RETRY) == (request_id in self.excluded)
        if isinstance(action, Dispatch):
            self._dispatched(action, request, was_held)
        else:
            self._bought(action, request, now)

    @staticmethod
    def _as_of(request: Arrival, model: str) -> Arrival:
        """The request as the chosen model has it; only its own models may be chosen."""
        return {each.model: each for each in (request, *request.alternatives)}[model]

    def _dispatched(self, action: Dispatch, request: Arrival, was_held: bool) -> None:
        chosen = self.live[action.replica_id]
        request = self._as_of(request, chosen.model)
        assert request.is_local_allowed
        boot = self.on[request.request_id] = boot_of(chosen)
        assert request.kv_tokens_max <= chosen.limits.context_tokens_max
        assert boot not in self.excluded.get(request.request_id, ())
        assert sum(each == boot for each in self.on.values()) <= chosen.limits.max_num_seqs
        if action.reason is not Reason.RETRY:
            usual = Reason.HELD if was_held else Reason.LOCAL_FIT
            # Past its latest moment an off-peak request without an offer is held like the others.
            is_off_peak = request.deadline_ms is not None
            reasons = {Reason.VALLEY, Reason.HELD} if is_off_peak else {usual}
            if self._has_alternatives(request.request_id):
                reasons.add(Reason.SUBSTITUTE)
            assert action.reason in reasons

    def _has_alternatives(self, request_id: str) -> bool:
        return bool(self.arrivals[request_id].alternatives)

    def _bought(self, action: Buy, request: Arrival, now: float) -> None:
        """No limit is passed, and nothing leaves that must not."""
        bought = self.offers[action.offer_id]
        request = self._as_of(request, bought.model)
        assert action.target not in self.excluded.get(request.request_id, ())
        assert bought.price is not None
        assert request.offers is None or bought.offer_id in request.offers
        assert request.kv_tokens_max <= bought.context_tokens_max
        in_flight = [each for each in self.placed.values() if each.target == action.target]
        assert len(in_flight) <= bought.in_flight_max
        most_nano = bought.price.cost_nano(request.prompt_tokens, 0, request.max_output_tokens)
        purchase = Purchase(request.tenant, bought.offer_id, now, most_nano, request.kv_tokens_max)
        self.purchases.append(purchase)
        self.running[request.request_id] = purchase
        recent = [each for each in self.purchases if each.at > now - HOUR_S]
        cap = self.settings.spill.usd_per_hour_max
        assert cap is None or sum(each.nano for each in recent) <= cap
        budget = self.settings.tenant_nano_per_hour.get(request.tenant, inf)
        assert sum(each.nano for each in recent if each.tenant == request.tenant) <= budget
        sold = [p for p in recent if p.offer_id == bought.offer_id and p.at > now - MINUTE_S]
        assert len(sold) <= (bought.requests_per_min_max or inf)
        assert sum(each.tokens for each in sold) <= (bought.tokens_per_min_max or inf)

    def end(self, request_id: str) -> Target | None:
        """A placed or held request ends; the target that it had."""
        self.ended[request_id] += 1
        self.running.pop(request_id, None)
        self.on.pop(request_id, None)
        if request_id in self.held:
            del self.held[request_id]
            return None
        return self.placed.pop(request_id).target

    def again(self, request_id: str, failed: Sequence[Target]) -> None:
        """A retry: its attempt had ended, and it must not go where one of them failed."""
        del self.ended[request_id]
        self.excluded[request_id] = set(map(self._boot, failed))

    def _boot(self, target: Target) -> Boot | Target:
        known = self.live.get(target.id) if target.kind is TargetKind.LOCAL else None
        return boot_of(known) if known else target

    def check_waits(self, now: float) -> None:
        """After a tick, nobody waits who should have been decided."""
        assert all(now < until for until in self.held.values())

    def check_all_ended(self) -> None:
        assert not self.held
        assert not self.placed
        assert set(self.ended) == set(self.arrivals)
        assert set(self.ended.values()) <= {1}
