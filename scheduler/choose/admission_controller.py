"""What becomes of one request: sent to a replica, bought, held or refused.

Admission serves a pool's queue in order as far as there is room, and deals with each request
whose moment has come. A request for which no replica has room reserves the one with the most room,
or blocks all behind it: overtaking would let small requests starve a large one. One that no live
replica could serve is bought, or waits as unschedulable, where it blocks nobody, or is refused if
nothing ever can.
"""

from __future__ import annotations

from scheduler.arrival import PRIORITY_LAST
from scheduler.budget import Budget
from scheduler.choose.bid_price_policy import Policy
from scheduler.choose.decision_recorder import DecisionRecorder, Final
from scheduler.choose.next_in_line import next_in_line
from scheduler.choose.room_and_caps import CAPS, is_servable
from scheduler.choose.substitution import Substitution
from scheduler.choose.target_picker import best_replica, candidates, survey
from scheduler.choose.valuation import Pools, latest_at, price_of_staying, reprice, value
from scheduler.counters import Counters
from scheduler.decision import Action, Hold, Reason, Refusal, Verdict
from scheduler.pool.pool import Pool
from scheduler.pool.queue import UNSCHEDULABLE_CLASS, Moment
from scheduler.pool.queued_request import OFF_PEAK_CLASS, QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.settings import Settings
from scheduler.snapshot import Limit

SERVED_PER_EVENT_MAX = 64
DUE_PER_TICK_MAX = 4_096
UNSCHEDULABLE_PER_TICK_MAX = 64
ASK_AGAIN_S = 0.25  # whether an offer that had reached a limit has room again
COMES_BACK = frozenset({Refusal.EXCLUDED, Refusal.BREAKER_OPEN, Refusal.PAUSED})


class AdmissionController:
    def __init__(
        self,
        policy: Policy,
        budget: Budget,
        counters: Counters,
        held: dict[str, Pool],
        pools: Pools,
        recorder: DecisionRecorder,
        substitution: Substitution,
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._counters = counters
        self._held = held
        self._pools = pools
        self._recorder = recorder
        self._substitution = substitution

    # Events

    def admit(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> list[Action]:
        """A new request joins the queue at its place, and leaves it at once where it can."""
        value(waiting, pool, self._pools, now)
        limit = self._limit(waiting, pool, settings)
        request_id = waiting.arrival.request_id
        self._held[request_id] = pool
        pool.queue.add(waiting, self._policy.urgency(waiting, pool))
        actions: list[Action] = []
        if not is_servable(waiting, pool, now):
            actions += self._without_replica(waiting, pool, settings, now)
        elif self._head(pool, settings) is waiting:  # else those ahead of it found no room either
            actions += self._serve_all(pool, settings, now)
        if request_id not in self._held:
            return actions
        if substituted := self._substitution.substitute(waiting, pool, settings, now):
            return [*actions, substituted]
        if waiting.cost_nano != waiting.purchase_nano:  # it was told of room that it may not take
            actions += self._stay(waiting, pool, settings, now)
            if request_id not in self._held:
                return actions
        if final := self._turn_away(waiting, pool, limit, settings, now):
            return [*actions, final]
        waiting.is_held = True
        self._set_moments(waiting, pool, settings, now)
        return [*actions, Hold(request_id)]

    def _stay(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> list[Action]:
        """No other model serves it: it is looked at once more as one that may be bought only."""
        price_of_staying(waiting, pool, self._pools, now)
        pool.queue.reorder(waiting, self._policy.urgency(waiting, pool))
        if is_servable(waiting, pool, now) and self._head(pool, settings) is waiting:
            return self._serve_all(pool, settings, now)
        return []

    def serve(
        self, state: ReplicaState, pool: Pool, settings: Settings, now: float
    ) -> list[Action]:
        """An event may have made room at this replica: send it the next in line, while they fit.

        Where room is reserved for a request that nothing had room for, that one comes first.
        """
        actions: list[Action] = []
        if not pool.queue:
            return actions
        pool.bid.occupy(pool.occupancy)
        replica_id = state.replica.replica_id
        for _ in range(SERVED_PER_EVENT_MAX):
            head = pool.reserved.get(replica_id) or self._head(pool, settings)
            if head is None:
                break
            fitting, verdicts = best_replica(head, [state], pool, settings, now)
            if fitting is None:
                break
            actions.append(self._recorder.dispatch(head, fitting, verdicts, pool, settings, now))
        state.has_news &= not state.is_fresh(settings, now)
        return actions

    def _serve_all(self, pool: Pool, settings: Settings, now: float) -> list[Action]:
        """Send the next in line anywhere, as far as there is room.

        One for which no replica has room reserves the one that is nearest to it, so that small
        requests can go on elsewhere but not take what it waits for; then all behind it wait.
        """
        actions: list[Action] = []
        pool.bid.occupy(pool.occupancy)
        for _ in range(SERVED_PER_EVENT_MAX):
            head = self._head(pool, settings)
            if head is None:
                break
            state, verdicts = best_replica(head, candidates(head, pool), pool, settings, now)
            if state is not None:
                actions.append(self._recorder.dispatch(head, state, verdicts, pool, settings, now))
            elif not is_servable(head, pool, now):
                actions += self._without_replica(head, pool, settings, now)
            elif self._is_too_late(head, verdicts, pool):
                if gone := self._substitution.substitute_or_buy(head, pool, settings, now):
                    actions.append(gone)
                else:
                    head.is_capped = True  # late is better than never: it is asked about again
            elif not pool.reserve(head, verdicts):
                break
        return actions

    def _head(self, pool: Pool, settings: Settings) -> QueuedRequest | None:
        return next_in_line(pool, self._policy, settings)

    def _survey(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> tuple[list[Verdict], list[Verdict]]:
        return survey(waiting, pool, self._pools, self._budget, settings, now)

    def _is_too_late(self, waiting: QueuedRequest, verdicts: list[Verdict], pool: Pool) -> bool:
        is_late = any(verdict.refusal is Refusal.TOO_LATE for verdict in verdicts)
        return is_late and self._policy.buys_late(waiting, pool)

    def tick(self, pool: Pool, settings: Settings, now: float) -> list[Action]:
        """Do what has come due, look again at the unschedulable, and serve."""
        actions: list[Action] = []
        if not pool.queue:
            return actions
        for _ in range(DUE_PER_TICK_MAX):
            if (due := pool.queue.due(now)) is None:
                break
            moment, waiting = due
            if moment is Moment.LATEST:
                actions += self._latest(waiting, pool, settings, now)
            elif moment is Moment.AGEING:
                self._age(waiting, pool, settings, now)
            else:
                actions.append(self._expire(waiting, pool, settings, now))
        for waiting in pool.queue.some_unschedulable(UNSCHEDULABLE_PER_TICK_MAX):
            if is_servable(waiting, pool, now):
                pool.queue.move_to_class(waiting, waiting.first_class)
            else:
                actions += self._without_replica(waiting, pool, settings, now)
        pool.release_all()
        actions += self._serve_all(pool, settings, now)
        return actions + self._substitution.substitute_some(pool, settings, now)

    def revalue(self, pool: Pool, settings: Settings, now: float) -> None:
        """Prices have changed: what everyone who waits would cost elsewhere is worked out anew."""
        for waiting in pool.queue.all():
            before = waiting.cost_nano
            reprice(waiting, pool, self._pools)
            if waiting.cost_nano == before:
                continue
            if before is None:  # it may go elsewhere from now on
                latest = latest_at(waiting, pool, self._pools, settings)
                pool.queue.at(Moment.LATEST, latest, waiting)
            pool.queue.reorder(waiting, self._policy.urgency(waiting, pool))

    # Who may wait, and until when

    def _set_moments(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> None:
        queue = pool.queue
        if waiting.cost_nano is not None or waiting.is_off_peak:
            queue.at(Moment.LATEST, latest_at(waiting, pool, self._pools, settings), waiting)
        if not waiting.is_off_peak and waiting.priority_class > 0:
            queue.at(Moment.AGEING, now + settings.spill.ageing_ms / 1000, waiting)
        expires_at = waiting.since + settings.queue.wait_ms_max / 1000
        queue.at(Moment.EXPIRY, waiting.deadline if waiting.is_off_peak else expires_at, waiting)

    def _limit(self, waiting: QueuedRequest, pool: Pool, settings: Settings) -> Limit | None:
        if not pool.queue.has_requests_room(settings):
            return Limit.QUEUE_REQUESTS
        if not pool.queue.has_tokens_room(waiting, settings):
            return Limit.QUEUE_TOKENS
        if not pool.queue.has_bytes_room(waiting, settings):
            return Limit.QUEUE_BYTES
        return None

    # What is due

    def _turn_away(
        self,
        waiting: QueuedRequest,
        pool: Pool,
        limit: Limit | None,
        settings: Settings,
        now: float,
    ) -> Final | None:
        """A new request that found no room: is it bought at once, or may it not even wait?"""
        may_buy = waiting.cost_nano is not None and not waiting.is_off_peak
        if may_buy and self._policy.buys_at_once(waiting, pool):
            bought = self._recorder.buy(waiting, Reason.SPILL_PRICE, pool, settings, now)
            if bought is not None:
                return bought
        if limit is None:
            return None
        self._counters.limits[limit] += 1
        if bought := self._recorder.buy(waiting, Reason.SPILL_LATENCY, pool, settings, now):
            return bought
        replicas, offers = self._survey(waiting, pool, settings, now)
        verdicts = [*replicas, *offers]
        return self._recorder.reject(waiting, Reason.QUEUE_FULL, verdicts, pool, settings)

    def _latest(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> list[Final]:
        """Buy it; an off-peak request that cannot be bought waits among the others from here on."""
        if waiting.cost_nano is None and waiting.priority_class == OFF_PEAK_CLASS:
            pool.queue.move_to_class(waiting, PRIORITY_LAST)
        if waiting.cost_nano is None or not self._policy.buys_late(waiting, pool):
            return []
        if gone := self._substitution.substitute_or_buy(waiting, pool, settings, now):
            return [gone]
        waiting.is_capped = True
        pool.queue.at(Moment.LATEST, now + ASK_AGAIN_S, waiting)
        return []

    def _age(self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float) -> None:
        if 0 < waiting.priority_class < UNSCHEDULABLE_CLASS:
            pool.queue.move_to_class(waiting, waiting.priority_class - 1)
        if waiting.priority_class > 0:
            pool.queue.at(Moment.AGEING, now + settings.spill.ageing_ms / 1000, waiting)

    def _expire(self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float) -> Final:
        buys = self._policy.buys_late(waiting, pool)
        if buys and (gone := self._substitution.substitute_or_buy(waiting, pool, settings, now)):
            return gone
        replicas, offers = self._survey(waiting, pool, settings, now)
        is_capped = any(verdict.refusal in CAPS for verdict in offers)
        reason = Reason.SPILL_CAPPED if is_capped else Reason.QUEUE_TIMEOUT
        return self._recorder.reject(waiting, reason, [*replicas, *offers], pool, settings)

    def _without_replica(
        self, waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
    ) -> list[Final]:
        """No live replica could serve it: buy, or hold it as unschedulable while one may come, or
        refuse."""
        stays = waiting.arrival.is_local_allowed
        may_come = stays and pool.had_replica and not pool.replicas
        has_time = (
            waiting.is_off_peak
            and may_come
            and now < latest_at(waiting, pool, self._pools, settings)
        )
        if not has_time:
            reason = Reason.SPILL_NO_REPLICA if stays else Reason.MUST_LEAVE
            gone: Final | None = None
            if pool.had_replica:
                gone = self._substitution.substitute(waiting, pool, settings, now)
            gone = gone or self._recorder.buy(waiting, reason, pool, settings, now)
            if gone := gone or self._substitution.substitute(waiting, pool, settings, now):
                return [gone]
        replicas, offers = self._survey(waiting, pool, settings, now)
        lasting = (Refusal.CONTEXT, Refusal.NOT_ALLOWED, Refusal.PRICE_UNKNOWN)
        may_come |= any(v.refusal in COMES_BACK for v in replicas)
        may_come |= any(v.refusal not in (*lasting, Refusal.EXCLUDED) for v in offers)
        if may_come:
            pool.queue.move_to_class(waiting, UNSCHEDULABLE_CLASS)
            return []
        verdicts = [*replicas, *offers]
        allowed = [v.refusal for v in verdicts if v.refusal is not Refusal.NOT_ALLOWED]
        is_long = bool(allowed) and all(refusal is Refusal.CONTEXT for refusal in allowed)
        reason = Reason.CONTEXT_TOO_LONG if is_long else Reason.NO_TARGET
        return [self._recorder.reject(waiting, reason, verdicts, pool, settings)]
