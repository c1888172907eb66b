"""The state machine: events and ``now`` in, actions out.

It owns the states of replicas and offers, the queues and the counters; ``policy`` says what is
worth keeping, ``admission`` what becomes of one request. An attempt gets exactly one Dispatch, Buy
or Reject, perhaps after a Hold; its id may come back only after ``on_finish``. Every event serves
those who wait, in order, as far as there is room; a tick also does what has come due, and renews
the bid prices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from scheduler.arrival import Arrival
from scheduler.budget import Budget, Elsewhere
from scheduler.choose.admission_controller import AdmissionController
from scheduler.choose.bid_price_policy import BidPricePolicy, Policy
from scheduler.choose.decision_recorder import DecisionRecorder
from scheduler.choose.room_and_caps import is_servable
from scheduler.choose.substitution import Substitution
from scheduler.choose.valuation import measure
from scheduler.counters import Counters
from scheduler.decision import Action, Outcome
from scheduler.offer import Offer
from scheduler.pool.circuit_breaker import Breaker, BreakerState, OfferBreaker
from scheduler.pool.local_budget import LocalBudget
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.prefix_index import PrefixLimit
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.pool.step_cost import SAMPLE_S
from scheduler.replica import LoadReport, Replica
from scheduler.settings import Settings
from scheduler.snapshot import Limit, Snapshot, offer_view, pool_view, queue_view, replica_view
from scheduler.target import Incarnation, Target, TargetKind

# Tokens that a block of a prompt stands for at least; sizes the memory of what replicas hold.
PREFIX_BLOCK_TOKENS = 64

ENTERED = {BreakerState.OPEN: Limit.BREAKER_OPENED, BreakerState.PAUSED: Limit.TARGET_PAUSED}


class Scheduler:
    def __init__(
        self,
        settings: Settings,
        offers: Sequence[Offer] = (),
        policy: Policy | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Without a ``budget`` the caps and the providers' limits are this scheduler's alone."""
        self._settings = settings
        self._pools: dict[str, Pool] = {}
        self._replicas: dict[str, ReplicaState] = {}
        self._offers: dict[str, OfferState] = {}
        self._accounts: dict[str, Breaker] = {}  # by provider
        self._held: dict[str, Pool] = {}
        self._placed: dict[str, ReplicaState | OfferState] = {}
        self._budget = budget or LocalBudget()
        self._counters = Counters()
        policy = policy or BidPricePolicy()
        parts = policy, self._budget, self._counters, self._held, self._pools
        self._recorder = DecisionRecorder(*parts, self._placed)
        self._substitution = Substitution(policy, self._budget, self._pools, self._recorder)
        self._admission = AdmissionController(*parts, self._recorder, self._substitution)
        self._retired: dict[str, OfferState] = {}  # offers taken away that still count
        self._set_offers(offers, 0.0)

    # Configuration and membership

    def set_settings(self, settings: Settings, offers: Sequence[Offer], now: float) -> None:
        """The settings change in place. Books, breakers and queues live on, and who waits is valued
        anew; the next tick reviews them."""
        self._settings = settings
        for pool in self._pools.values():
            pool.configure(settings)
        self._set_offers(offers, now)
        for pool in self._pools.values():
            self._admission.revalue(pool, settings, now)

    def _set_offers(self, offers: Sequence[Offer], now: float) -> None:
        self._accounts = {o.provider: self._accounts.get(o.provider, Breaker()) for o in offers}
        known, self._offers = self._retired | self._offers, {}
        for pool in self._pools.values():
            pool.offers = []
        for offer in offers:
            state = known.get(offer.offer_id)
            if state is None:
                state = OfferState(offer, OfferBreaker(self._accounts[offer.provider]))
            # What is in flight there still ends in the same state, and counts if it comes back.
            state.offer, state.breaker.account = offer, self._accounts[offer.provider]
            self._offers[offer.offer_id] = state
            self._pool(offer.model).offers.append(state)
        gone = {name: state for name, state in known.items() if name not in self._offers}
        self._retired = {
            name: state
            for name, state in gone.items()
            if state.requests or self._budget.counts(name, now)
        }

    def _pool(self, model: str) -> Pool:
        pool = self._pools.get(model)
        if pool is None:
            pool = self._pools[model] = Pool.of(model, self._settings)
        return pool

    def on_replica_joined(self, replica: Replica, now: float) -> list[Action]:
        """A boot, or a renewal. An older generation than the known one is a late message."""
        state = self._replicas.get(replica.replica_id)
        if state is not None and replica.generation < state.replica.generation:
            self._counters.limits[Limit.REPLICA_OUTDATED] += 1
            return []
        boot = (replica.generation, replica.model)
        pool = self._pool(replica.model)
        if state is not None and boot == (state.replica.generation, state.replica.model):
            pool.renew(state, replica)
        else:
            self.on_replica_left(replica.replica_id, now)
            state = self._replicas[replica.replica_id] = ReplicaState(replica)
            pool.join(state)
            blocks_max = replica.limits.kv_tokens_max // PREFIX_BLOCK_TOKENS
            pool.prefixes.join(replica.replica_id, blocks_max)
        return self._admission.serve(state, pool, self._settings, now)

    def on_replica_left(self, replica_id: str, now: float) -> list[Action]:
        """The replica is forgotten. Its requests still end by ``on_finish``; the next tick reviews
        who waits."""
        state = self._replicas.pop(replica_id, None)
        if state is not None:
            pool = self._pools[state.replica.model]
            pool.leave(state)
            pool.prefixes.forget(replica_id)
            state.is_alive = False
        return []

    # The life of a request

    def on_arrival(self, arrival: Arrival, now: float) -> list[Action]:
        return self._admit(arrival, now)

    def on_retry(self, arrival: Arrival, failed: Collection[Target], now: float) -> list[Action]:
        """Decides as ``on_arrival`` does, after ``on_finish`` of the attempt before; to none of the
        targets that have ``failed`` it."""
        excluded = frozenset(map(self._incarnation, failed))
        return self._admit(arrival, now, excluded)

    def _incarnation(self, target: Target) -> Incarnation:
        """The one that is known now."""
        if target.kind is TargetKind.LOCAL and (state := self._replicas.get(target.id)):
            return state.replica.incarnation
        return Incarnation(target, None)

    def _admit(
        self, arrival: Arrival, now: float, excluded: frozenset[Incarnation] = frozenset()
    ) -> list[Action]:
        request_id = arrival.request_id
        if request_id in self._held or request_id in self._placed:
            raise ValueError(f"request {request_id!r} has not finished")
        models = [QueuedRequest(each, now, excluded) for each in (arrival, *arrival.alternatives)]
        waiting = self._substitution.placed(models, self._settings, now)
        # No pool is kept for a name that nothing serves: callers could make up any number.
        model = waiting.arrival.model
        pool = self._pools.get(model) or Pool.of(model, self._settings)
        return self._admission.admit(waiting, pool, self._settings, now)

    def on_progress(self, request_id: str, tokens_out: int, now: float) -> None:
        """The room that a first token frees in the batch is given away by the next event."""
        state = self._placed.get(request_id)
        if isinstance(state, ReplicaState):
            state.progress(request_id, tokens_out)
        elif state is not None and tokens_out > 0:
            state.progress(request_id, now)

    def on_first_token(self, request_id: str, now: float) -> None:
        """Content has come from its target, of a whole answer all of it."""
        state = self._placed.get(request_id)
        if state is not None:
            state.breaker.on_first_token(request_id)

    def on_finish(
        self,
        request_id: str,
        outcome: Outcome,
        now: float,
        cost_nano: int | None = None,
        pause_s: float | None = None,
    ) -> list[Action]:
        """``cost_nano`` is what a bought request did cost, ``pause_s`` how long its target asked
        to be left alone; None where that is not known."""
        pool = self._held.get(request_id)
        if pool is not None:
            self._recorder.forget(request_id, pool)
            return []
        state = self._placed.pop(request_id, None)
        if state is None:
            return []
        state.remove(request_id)
        bounds = self._settings.circuit_breaker
        entered = state.breaker.on_end(request_id, outcome, bounds, now, pause_s)
        if entered is not None:
            self._counters.limits[ENTERED[entered]] += 1
        if isinstance(state, OfferState):
            self._budget.settle(request_id, cost_nano)
            return []
        pool = self._pools[state.replica.model]
        if state.is_alive:
            pool.in_flight -= 1
            pool.reopen(state)
            return self._admission.serve(state, pool, self._settings, now)
        return []

    def on_spent_elsewhere(self, purchases: Iterable[Elsewhere]) -> None:
        """Purchases of others, and of the scheduler before this one: caps count them, too."""
        for purchase in purchases:
            self._budget.on_elsewhere(purchase)

    def on_load_report(self, report: LoadReport, now: float) -> list[Action]:
        state = self._replicas.get(report.replica_id)
        if state is None or report.generation != state.replica.generation:
            self._counters.limits[Limit.REPORT_UNKNOWN] += 1
            return []
        if not state.take_report(report, now):
            self._counters.limits[Limit.REPORT_ABSURD] += 1
            return []
        pool = self._pools[state.replica.model]
        pool.prefixes.on_report(report.replica_id, report.prefix_hit_tokens)
        if state.costed is None:
            state.costed = report
        elif not 0 <= report.busy_s - state.costed.busy_s < SAMPLE_S:  # or absurd: start anew
            pool.cost.learn(state.costed, report)
            state.costed = report
        if not state.has_news:
            return []
        pool.reopen(state)
        return self._admission.serve(state, pool, self._settings, now)

    def on_tick(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for pool in self._pools.values():
            pool.renew_price(self._settings, now)
            actions += self._admission.tick(pool, self._settings, now)
        return actions

    # Questions

    def can_serve(self, model: str, now: float) -> bool:
        """Whether a request would be served: a live replica or a priced offer, not broken."""
        pool = self._pools.get(model)
        if pool is None:
            return False
        states: list[ReplicaState | OfferState] = list(pool.replicas.values())
        states += [state for state in pool.offers if state.offer.price is not None]
        return any(not state.breaker.condition(now).is_shut for state in states)

    def charge_nano(self, arrival: Arrival, now: float) -> int | None:
        """What the engine time that a request would take of its model's replicas is worth at this
        moment, in nano-USD: nothing while they have room to spare. None where no live replica
        could serve it."""
        work_s = self.work_s(arrival, now)
        if work_s is None:
            return None
        pool = self._pools[arrival.model]
        price = pool.bid.admission_price if pool.occupancy < 1.0 else pool.bid.price
        return round(price * work_s)

    def work_s(self, arrival: Arrival, now: float) -> float | None:
        """Engine seconds that it would take of its model's replicas; None where no live one could
        serve it."""
        pool = self._pools.get(arrival.model)
        waiting = QueuedRequest(arrival, now)
        if pool is None or not is_servable(waiting, pool, now):
            return None
        measure(waiting, pool)
        return waiting.work_s

    def snapshot(self, now: float) -> Snapshot:
        pools = self._pools.values()
        return Snapshot(
            queues=tuple(queue_view(pool) for pool in pools),
            pools=tuple(pool_view(pool) for pool in pools),
            replicas=tuple(
                replica_view(state, self._settings, now) for state in self._replicas.values()
            ),
            offers=tuple(offer_view(state, now) for state in self._offers.values()),
            spill_nano_last_hour=self._budget.spent_nano(now),
            reasons=dict(self._counters.reasons),
            refusals=dict(self._counters.refusals),
            limits=self._limits(),
        )

    def _limits(self) -> dict[Limit | PrefixLimit, int]:
        limits: Counter[Limit | PrefixLimit] = Counter()
        limits.update(self._counters.limits)
        for pool in self._pools.values():
            limits.update(pool.prefixes.limits)
        return dict(limits)
