"""All that may serve one model: its live replicas, its offers, and those who wait for them.

``open`` lists the replicas that may have room, so that a decision costs the same however many
there are: a replica that is found full leaves the list, and whatever frees room puts it back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from math import inf

from scheduler.decision import Refusal, Verdict
from scheduler.pool.bid_price import BidPrice
from scheduler.pool.offer_state import OfferState
from scheduler.pool.prefix_index import PrefixIndex
from scheduler.pool.queue import Queue
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.pool.step_cost import StepCost
from scheduler.replica import Replica
from scheduler.settings import Settings

RESERVED_SHARE = 4  # at most one of so many replicas is reserved for a request without room


@dataclass(slots=True, eq=False)
class Pool:
    model: str
    bid: BidPrice
    cost: StepCost
    replicas: dict[str, ReplicaState] = field(default_factory=dict)
    offers: list[OfferState] = field(default_factory=list)
    queue: Queue = field(default_factory=Queue)
    prefixes: PrefixIndex = field(default_factory=PrefixIndex)
    had_replica: bool = False  # one that left is expected back: waiting for it makes sense
    in_flight: int = 0  # on the live replicas
    slots: int = 0
    kv_share: float = 0.0  # of the KV caches, reserved at the last tick
    reserved: dict[str, QueuedRequest] = field(default_factory=dict)  # by replica
    open: list[ReplicaState] = field(default_factory=list)
    _open_at: dict[str, int] = field(default_factory=dict)
    _turn: int = 0

    @classmethod
    def of(cls, model: str, settings: Settings) -> Pool:
        return cls(model, BidPrice(settings), StepCost.assumed(settings))

    def configure(self, settings: Settings) -> None:
        """What was seen and measured so far stays."""
        self.bid.configure(settings)
        if not self.cost.is_measured:
            self.cost = StepCost.assumed(settings)

    def join(self, state: ReplicaState) -> None:
        self.had_replica = True
        self.replicas[state.replica.replica_id] = state
        self.slots += state.replica.limits.max_num_seqs
        self.reopen(state)

    def renew(self, state: ReplicaState, replica: Replica) -> None:
        self.slots += replica.limits.max_num_seqs - state.replica.limits.max_num_seqs
        state.replica = replica
        self.reopen(state)

    def leave(self, state: ReplicaState) -> None:
        del self.replicas[state.replica.replica_id]
        self.slots -= state.replica.limits.max_num_seqs
        self.in_flight -= state.in_flight
        self.close(state)
        if waiting := self.reserved.get(state.replica.replica_id):
            self.release(waiting)

    # Who may have room

    def reopen(self, state: ReplicaState) -> None:
        replica_id = state.replica.replica_id
        if replica_id not in self._open_at and state.is_alive:
            self._open_at[replica_id] = len(self.open)
            self.open.append(state)

    def close(self, state: ReplicaState) -> None:
        at = self._open_at.pop(state.replica.replica_id, None)
        if at is None:
            return
        last = self.open.pop()
        if last is not state:
            self.open[at] = last
            self._open_at[last.replica.replica_id] = at

    def some_open(self, count_max: int) -> list[ReplicaState]:
        """All that are open, or so many of them, others each time."""
        if len(self.open) <= count_max:
            return list(self.open)
        self._turn = (self._turn + count_max) % len(self.open)
        return [self.open[(self._turn + step) % len(self.open)] for step in range(count_max)]

    def some(self, count_max: int) -> list[ReplicaState]:
        """All replicas, or the first so many."""
        return list(islice(self.replicas.values(), count_max))

    # Room that is reserved

    def reserve(self, waiting: QueuedRequest, verdicts: list[Verdict]) -> bool:
        """Reserve for it the replica with the most room, of those that lack nothing but room, until
        it goes or the next tick. False where so many are reserved already, or none would do."""
        if len(self.reserved) >= max(1, len(self.replicas) // RESERVED_SHARE):
            return False
        near = [
            self.replicas[verdict.target.id]
            for verdict in verdicts
            if verdict.refusal in (Refusal.NO_KV_ROOM, Refusal.ENGINE_QUEUE)
        ]
        if not near:
            return False
        state = min(near, key=lambda state: (state.kv_share, state.replica.replica_id))
        self.reserved[state.replica.replica_id] = waiting
        self.queue.reserve(waiting, state.replica.replica_id)
        return True

    def release_all(self) -> None:
        """Whoever still needs it keeps one again, perhaps another that has come nearer since."""
        for waiting in list(self.reserved.values()):
            self.release(waiting)

    def release(self, waiting: QueuedRequest) -> None:
        if waiting.reserved_replica_id is not None:
            del self.reserved[waiting.reserved_replica_id]
            self.queue.unreserve(waiting)

    # The price of capacity

    @property
    def occupancy(self) -> float:
        """Share of the slots that are taken, or of the KV caches where that is more; of a pool
        without replicas, all."""
        return max(self.in_flight / self.slots, self.kv_share) if self.slots else 1.0

    def renew_price(self, settings: Settings, now: float) -> None:
        states = self.replicas.values()
        if states:
            reserved = sum(state.kv_tokens_reserved for state in states)
            kv_tokens_max = sum(state.replica.limits.kv_tokens_max for state in states)
            self.kv_share = reserved / (kv_tokens_max * (1 - settings.admission.kv_headroom))
        for state in states:
            # One that fell silent when it was full of others' work, nothing else would put back.
            if not state.is_fresh(settings, now):
                self.reopen(state)
        # What an engine second is worth cannot be said before one was measured.
        capacity = settings.spill.target_load * len(states) if self.cost.is_measured else inf
        self.bid.update(capacity, self.occupancy, now)
