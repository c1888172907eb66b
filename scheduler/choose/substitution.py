"""Room at another model's replicas, for a request that several models may answer.

A request has its place with one model, the first of its models that could serve it or be bought
when it came. It waits in that model's queue alone, and another model serves it only from room that
nobody who waits there may take.
"""

from __future__ import annotations

from scheduler.budget import Budget
from scheduler.choose.bid_price_policy import Policy
from scheduler.choose.decision_recorder import DecisionRecorder
from scheduler.choose.next_in_line import may_take_room, next_in_line
from scheduler.choose.room_and_caps import is_servable, refuse_offer
from scheduler.choose.target_picker import best_replica, candidates
from scheduler.choose.valuation import Pools, measure
from scheduler.decision import Buy, Dispatch
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.settings import Settings

MOVED_PER_TICK_MAX = 64  # of those that wait for one model, looked at for others' room


class Substitution:
    def __init__(
        self, policy: Policy, budget: Budget, pools: Pools, recorder: DecisionRecorder
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._pools = pools
        self._recorder = recorder

    def placed(self, models: list[QueuedRequest], settings: Settings, now: float) -> QueuedRequest:
        """The request where it has its place, with the models that may stand in for that one.
        ``models`` are the same request as each model would take it, in the order preferred."""
        if len(models) == 1:
            return models[0]
        known = [each for each in models if each.arrival.model in self._pools] or models
        first = next((each for each in known if self._is_possible(each, settings, now)), known[0])
        first.alternatives = tuple(
            each for each in models if each is not first and each.arrival.is_substitute
        )
        return first

    def _is_possible(self, waiting: QueuedRequest, settings: Settings, now: float) -> bool:
        """Whether a live replica of its model could serve it, or it could be bought."""
        pool = self._pools.get(waiting.arrival.model)
        return pool is not None and (
            is_servable(waiting, pool, now)
            or any(
                refuse_offer(waiting, state, self._budget, settings, now) is None
                for state in pool.offers
            )
        )

    def substitute(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> Dispatch | None:
        """Serve it at the first of the other models that has room to spare."""
        for other in waiting.alternatives:
            its_pool = self._pools.get(other.arrival.model)
            if its_pool is None or not its_pool.open:
                continue
            if next_in_line(its_pool, self._policy, settings) is not None:
                continue
            measure(other, its_pool)
            other.cost_nano = waiting.purchase_nano
            if not may_take_room(other, its_pool, self._policy, settings):
                continue
            open_states = candidates(other, its_pool)
            state, verdicts = best_replica(other, open_states, its_pool, settings, now)
            if state is not None:
                return self._recorder.substitute(
                    waiting, other, state, verdicts, pool, settings, now
                )
        return None

    def substitute_some(self, pool: Pool, settings: Settings, now: float) -> list[Dispatch]:
        """Look at some of those who wait here, others each time."""
        some = pool.queue.some_movable(MOVED_PER_TICK_MAX)
        found = [self.substitute(waiting, pool, settings, now) for waiting in some]
        return [each for each in found if each is not None]

    def substitute_or_buy(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> Dispatch | Buy | None:
        """Room at another model's replicas is paid already."""
        substituted = self.substitute(waiting, pool, settings, now)
        return substituted or self._recorder.buy(waiting, None, pool, settings, now)
