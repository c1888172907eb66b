"""The late-binding queue of one model: requests without a target yet, and who is next.

Priority class comes first, then fairness: within a class tenants take turns by deficit round
robin in tokens (Shreedhar and Varghese, 1995), and within a tenant the policy's urgency decides,
then the deadline. Who waits long moves up a class, so nothing starves; the off-peak lane stands
behind all classes and does not age. A request for which a replica's room is reserved waits out of
line. The queue also keeps the moments at which something must happen to a request that waits.
Bounded in requests, tokens and bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush
from itertools import islice
from math import ceil

from scheduler.pool.queued_request import QueuedRequest
from scheduler.settings import Settings

QUANTUM_TOKENS = 4_096  # that a tenant may have served per turn
TENANTS_LOOKED_AT_MAX = 64  # per question who is next
UNSCHEDULABLE_CLASS = 4  # no live replica could serve them now; never next


class Moment(IntEnum):
    """What is due for a request that waits."""

    LATEST = 0  # the latest sensible moment to buy it
    AGEING = 1
    EXPIRY = 2  # it has waited as long as anything may


# Urgency, deadline, number of the request, number of the entry.
_Entry = tuple[float, float, int, int, QueuedRequest]


def _is_valid(entry: _Entry) -> bool:
    return entry[4].entry_number == entry[3]


@dataclass(slots=True)
class _Lane:
    """The requests of one tenant in one class."""

    heap: list[_Entry] = field(default_factory=list)
    live: int = 0
    deficit_tokens: int = 0


class Queue:
    def __init__(self) -> None:
        self._waiting: dict[str, QueuedRequest] = {}
        self._classes: dict[int, OrderedDict[str, _Lane]] = {}
        self._moments: list[tuple[float, int, Moment, QueuedRequest]] = []
        self._urgency: dict[str, float] = {}
        self._movable: OrderedDict[str, QueuedRequest] = OrderedDict()  # others may serve them
        self._count = 0
        self.kv_tokens_expected = 0
        self.body_bytes = 0
        self.work_s = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def all(self) -> list[QueuedRequest]:
        """Those who wait, in the order of their arrival."""
        return list(self._waiting.values())

    def has_requests_room(self, settings: Settings) -> bool:
        return len(self._waiting) < settings.queue.requests_max

    def has_tokens_room(self, waiting: QueuedRequest, settings: Settings) -> bool:
        """An empty queue takes any request, or one above the bound could never wait."""
        tokens = self.kv_tokens_expected + waiting.kv_tokens_expected
        return not self._waiting or tokens <= settings.queue.tokens_max

    def has_bytes_room(self, waiting: QueuedRequest, settings: Settings) -> bool:
        return self.body_bytes + waiting.arrival.body_bytes <= settings.queue.bytes_max

    def add(self, waiting: QueuedRequest, urgency: float) -> None:
        """The smallest urgency is served first."""
        request_id = waiting.arrival.request_id
        self._count += 1
        waiting.number = self._count
        self._waiting[request_id] = waiting
        self._urgency[request_id] = urgency
        if waiting.alternatives:
            self._movable[request_id] = waiting
        self.kv_tokens_expected += waiting.kv_tokens_expected
        self.body_bytes += waiting.arrival.body_bytes
        self.work_s += waiting.work_s
        self._enter(waiting)

    def _enter(self, waiting: QueuedRequest) -> None:
        lanes = self._classes.setdefault(waiting.priority_class, OrderedDict())
        lane = lanes.setdefault(waiting.arrival.tenant, _Lane())
        self._count += 1
        waiting.entry_number = self._count
        urgency = self._urgency[waiting.arrival.request_id]
        entry = (urgency, waiting.deadline, waiting.number, waiting.entry_number, waiting)
        heappush(lane.heap, entry)
        lane.live += 1

    def remove(self, request_id: str) -> QueuedRequest:
        waiting = self._waiting.pop(request_id)
        del self._urgency[request_id]
        self._movable.pop(request_id, None)
        self.kv_tokens_expected -= waiting.kv_tokens_expected
        self.body_bytes -= waiting.arrival.body_bytes
        self.work_s = self.work_s - waiting.work_s if self._waiting else 0.0
        self._leave(waiting)
        return waiting

    def _leave(self, waiting: QueuedRequest) -> None:
        """Its entry stays in the lane, and is passed over when it comes up."""
        if not waiting.entry_number:
            return
        waiting.entry_number = 0
        lanes = self._classes[waiting.priority_class]
        lane = lanes[waiting.arrival.tenant]
        lane.live -= 1
        if lane.live == 0:
            del lanes[waiting.arrival.tenant]
        elif len(lane.heap) > 2 * lane.live + 16:
            lane.heap = [entry for entry in lane.heap if _is_valid(entry)]
            heapify(lane.heap)

    # Who is next

    def head(self, admits: Callable[[QueuedRequest], bool]) -> QueuedRequest | None:
        """The next request, of those that the policy admits. Asking again gives the same."""
        for priority_class in sorted(self._classes):
            if priority_class == UNSCHEDULABLE_CLASS:
                break
            if (head := self._head_of(priority_class, admits)) is not None:
                return head
        return None

    def _head_of(
        self, priority_class: int, admits: Callable[[QueuedRequest], bool]
    ) -> QueuedRequest | None:
        lanes = self._classes[priority_class]
        best: tuple[int, QueuedRequest] | None = None
        eager: list[_Lane] = []
        for lane in islice(lanes.values(), TENANTS_LOOKED_AT_MAX):
            waiting = self._first(lane)
            if not admits(waiting):
                continue
            if len(lanes) == 1:
                return waiting
            eager.append(lane)
            lacking_tokens = waiting.kv_tokens_expected - lane.deficit_tokens
            turns = max(0, ceil(lacking_tokens / QUANTUM_TOKENS))
            if best is None or turns < best[0]:
                best = (turns, waiting)
            if turns == 0:
                break
        if best is None:
            return None
        turns, waiting = best
        for lane in eager:
            lane.deficit_tokens += turns * QUANTUM_TOKENS
        return waiting

    def _first(self, lane: _Lane) -> QueuedRequest:
        while not _is_valid(lane.heap[0]):
            heappop(lane.heap)
        return lane.heap[0][4]

    def served(self, waiting: QueuedRequest) -> None:
        """It was sent to a replica: its tenant has had that much, and the next one's turn comes.
        What a tenant has while nobody else waits, it does not owe."""
        lanes = self._classes[waiting.priority_class]
        lane = lanes[waiting.arrival.tenant]
        if len(lanes) == 1:
            lane.deficit_tokens = 0
            return
        lane.deficit_tokens -= waiting.kv_tokens_expected
        if lane.deficit_tokens <= 0:
            lanes.move_to_end(waiting.arrival.tenant)

    def some_unschedulable(self, count_max: int) -> list[QueuedRequest]:
        """So many of the unschedulable, others each time."""
        lanes = self._classes.get(UNSCHEDULABLE_CLASS, OrderedDict())
        chosen: list[QueuedRequest] = []
        for tenant in list(lanes)[:count_max]:
            if len(chosen) >= count_max:
                break
            lane = lanes[tenant]
            lanes.move_to_end(tenant)
            valid = [entry for entry in lane.heap if _is_valid(entry)]
            taken = valid[: count_max - len(chosen)]
            lane.heap = valid[len(taken) :] + taken  # nobody is first among them
            chosen += [entry[4] for entry in taken]
        return chosen

    def some_movable(self, count_max: int) -> list[QueuedRequest]:
        """So many of those that another model could serve, others each time."""
        chosen = list(islice(self._movable.values(), count_max))
        for waiting in chosen:
            self._movable.move_to_end(waiting.arrival.request_id)
        return chosen

    # Moments

    def at(self, moment: Moment, when: float, waiting: QueuedRequest) -> None:
        self._count += 1
        heappush(self._moments, (when, self._count, moment, waiting))
        if len(self._moments) > 8 * len(self._waiting) + 64:
            self._moments = [moment for moment in self._moments if self._is_here(moment[3])]
            heapify(self._moments)

    def due(self, now: float) -> tuple[Moment, QueuedRequest] | None:
        """The next moment that has come, of a request that still waits."""
        while self._moments and self._moments[0][0] <= now:
            _, _, moment, waiting = heappop(self._moments)
            if self._is_here(waiting):
                return moment, waiting
        return None

    def _is_here(self, waiting: QueuedRequest) -> bool:
        return self._waiting.get(waiting.arrival.request_id) is waiting

    # Its place in line

    def move_to_class(self, waiting: QueuedRequest, priority_class: int) -> None:
        """Into another class."""
        in_line = bool(waiting.entry_number)
        self._leave(waiting)
        waiting.priority_class = priority_class
        if in_line:
            self._enter(waiting)

    def reorder(self, waiting: QueuedRequest, urgency: float) -> None:
        """It is worth more or less than it was."""
        self._urgency[waiting.arrival.request_id] = urgency
        if waiting.entry_number:
            self._leave(waiting)
            self._enter(waiting)

    def reserve(self, waiting: QueuedRequest, replica_id: str) -> None:
        """It goes on waiting, from the head of the line, for the room of this replica: it is not
        next any more, and keeps nobody behind it."""
        waiting.reserved_replica_id = replica_id
        self._leave(waiting)

    def unreserve(self, waiting: QueuedRequest) -> None:
        """Back into the line, if it still waits."""
        waiting.reserved_replica_id = None
        if self._is_here(waiting) and not waiting.entry_number:
            self._enter(waiting)
