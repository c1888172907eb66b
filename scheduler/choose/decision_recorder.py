"""How the wait of one request ends: sent to a replica, bought, or refused, with the evidence."""

from __future__ import annotations

from math import ceil

from scheduler.budget import Budget
from scheduler.choose.bid_price_policy import Policy
from scheduler.choose.target_picker import (
    held_tokens,
    offer_to_buy,
    prefill_tokens,
    survey_replicas,
)
from scheduler.choose.valuation import Pools, is_demand
from scheduler.counters import Counters
from scheduler.decision import Buy, Dispatch, Reason, Reject, Verdict
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import OFF_PEAK_CLASS, QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.settings import Settings

Final = Dispatch | Buy | Reject


class DecisionRecorder:
    """Enters each decision in the states, the queue and the counters, all at once."""

    def __init__(
        self,
        policy: Policy,
        budget: Budget,
        counters: Counters,
        held: dict[str, Pool],
        pools: Pools,
        placed: dict[str, ReplicaState | OfferState],
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._counters = counters
        self._held = held
        self._pools = pools
        self._placed = placed

    def dispatch(
        self,
        waiting: QueuedRequest,
        state: ReplicaState,
        verdicts: list[Verdict],
        pool: Pool,
        settings: Settings,
        now: float,
    ) -> Dispatch:
        reason = Reason.HELD if waiting.is_held else Reason.LOCAL_FIT
        if waiting.priority_class == OFF_PEAK_CLASS:
            reason = Reason.VALLEY
        pool.release(waiting)
        pool.queue.served(waiting)
        action = self._place(waiting, state, reason, verdicts, pool, settings, now)
        self._end(action, pool)
        return action

    def substitute(
        self,
        waiting: QueuedRequest,
        other: QueuedRequest,
        state: ReplicaState,
        verdicts: list[Verdict],
        pool: Pool,
        settings: Settings,
        now: float,
    ) -> Dispatch:
        """``waiting``, of ``pool``, is served as ``other`` at another model's replica. What it
        asks for is that model's demand from here on, and no longer this one's."""
        its_pool = self._pools[other.arrival.model]
        verdicts = [*survey_replicas(waiting, pool, settings, now), *verdicts]
        if is_demand(waiting, pool):
            pool.bid.take_back(waiting.value_nano_per_s, waiting.work_s)
        if is_demand(other, its_pool):
            its_pool.bid.add(other.value_nano_per_s, other.work_s, now)
        action = self._place(other, state, Reason.SUBSTITUTE, verdicts, its_pool, settings, now)
        self._end(action, pool)
        return action

    def _place(
        self,
        waiting: QueuedRequest,
        state: ReplicaState,
        reason: Reason,
        verdicts: list[Verdict],
        pool: Pool,
        settings: Settings,
        now: float,
    ) -> Dispatch:
        """``pool`` is the one of the replica."""
        arrival, replica_id = waiting.arrival, state.replica.replica_id
        if waiting.excluded:
            reason = Reason.RETRY
        tokens = prefill_tokens(waiting, state, pool)
        if arrival.blocks:
            pool.prefixes.sent(replica_id, arrival.blocks, held_tokens(waiting, state, pool))
        state.add(arrival, tokens)
        pool.in_flight += 1
        pool.bid.occupy(pool.occupancy)
        self._placed[arrival.request_id] = state
        state.breaker.on_start(arrival.request_id, settings.circuit_breaker, now)
        return Dispatch(arrival.request_id, state.target, reason, tuple(verdicts))

    def buy(
        self,
        waiting: QueuedRequest,
        reason: Reason | None,
        pool: Pool,
        settings: Settings,
        now: float,
    ) -> Buy | None:
        """Buys at an offer that may take it; None if there is none. Without a ``reason`` the moment
        has come: for want of room, or because the room there is costs too much."""
        chosen, offers = offer_to_buy(waiting, pool, self._pools, self._budget, settings, now)
        if chosen is None:
            return None
        arrival, state = chosen[0].arrival, chosen[1]
        if reason is None:
            is_kept = self._policy.admits(waiting, pool)
            reason = Reason.SPILL_LATENCY if is_kept else Reason.SPILL_PRICE
        if waiting.excluded:
            reason = Reason.RETRY
        replicas = survey_replicas(waiting, pool, settings, now)
        action = Buy(arrival.request_id, state.target, reason, (*replicas, *offers))
        most_nano = state.offer.most_nano(arrival) or 0
        self._budget.reserve(arrival, state.offer, most_nano, now)
        state.add(arrival, now)
        self._placed[arrival.request_id] = state
        state.breaker.on_start(arrival.request_id, settings.circuit_breaker, now)
        self._end(action, pool)
        return action

    def reject(
        self,
        waiting: QueuedRequest,
        reason: Reason,
        verdicts: list[Verdict],
        pool: Pool,
        settings: Settings,
    ) -> Reject:
        retry_after_s: int | None = settings.queue.retry_after_s_default
        if reason is Reason.CONTEXT_TOO_LONG:
            retry_after_s = None
        elif pool.replicas:
            wait_s = min(pool.queue.work_s / len(pool.replicas), settings.queue.retry_after_s_max)
            retry_after_s = max(1, ceil(wait_s))
        action = Reject(waiting.arrival.request_id, reason, retry_after_s, tuple(verdicts))
        self._end(action, pool)
        return action

    def _end(self, action: Final, pool: Pool) -> None:
        self._counters.count(action)
        self.forget(action.request_id, pool)

    def forget(self, request_id: str, pool: Pool) -> None:
        """It waits no longer."""
        pool.release(pool.queue.remove(request_id))
        del self._held[request_id]
