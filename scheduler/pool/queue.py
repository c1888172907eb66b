"""The late-binding queue of one model: requests without a target yet, and who is next.

Priority class comes first, then fairness: within a class tenants take turns by deficit round
robin in tokens (Shreedhar and Varghese, 1995), and within a tenant the policy's urgency decides,
then the deadline. Who waits long moves up a class, so nothing starves; the batch lane stands
behind all classes and does not age. The queue also keeps the moments at which something must
happen to a request that waits. Bounded in requests, tokens and bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush
from itertools import islice
from math import ceil, inf

from scheduler.arrival import PRIORITY_FIRST, PRIORITY_LAST, Arrival
from scheduler.settings import Settings
from scheduler.target import Incarnation

QUANTUM_TOKENS = 4_096  # that a tenant may have served per turn
TENANTS_LOOKED_AT_MAX = 64  # per question who is next
BATCH_CLASS = 3
PARKED_CLASS = 4  # no live replica could serve them; never next


class Moment(IntEnum):
    """What is due for a request that waits."""

    LATEST = 0  # the latest sensible moment to buy it
    AGEING = 1
    EXPIRY = 2  # it has waited as long as anything may


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request without a target: just arrived, or held.

    ``excluded`` is the incarnation of a target that failed it, set on a retry only: a replica
    that boots again is a new incarnation and may serve it. ``density`` is what buying it would
    cost per engine second that it takes here, in nano-USD; infinite where it may not be bought.
    """

    arrival: Arrival
    since: float
    excluded: Incarnation | None = None
    is_held: bool = False
    cost_nano: int | None = None  # expected, at the cheapest offer that it may have
    work_s: float = 0.0  # expected engine seconds
    cached_tokens: int = 0  # of the prompt, at the replica that holds most of it
    hits: dict[str, int] = field(default_factory=dict)  # leading blocks held, by replica
    reserves: str | None = None  # the replica whose room it waits for
    is_capped: bool = False  # it was to be bought, and some limit forbade it
    number: int = 0  # in the order of arrival
    place: int = 0  # the number of its one valid entry in a lane; 0: it stands aside
    is_batch: bool = field(init=False)
    first_class: int = field(init=False)
    priority_class: int = field(init=False)
    deadline: float = field(init=False)
    output_tokens: int = field(init=False)  # expected
    kv_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        arrival = self.arrival
        deadline_ms = arrival.deadline_ms
        self.is_batch = deadline_ms is not None
        priority = min(max(arrival.priority, PRIORITY_FIRST), PRIORITY_LAST)
        self.first_class = self.priority_class = BATCH_CLASS if self.is_batch else priority
        budget_ms = arrival.ttft_budget_ms if deadline_ms is None else deadline_ms
        self.deadline = self.since + budget_ms / 1000
        self.output_tokens = arrival.output_tokens_expected
        self.kv_tokens = arrival.prompt_tokens + self.output_tokens

    @property
    def density(self) -> float:
        return inf if self.cost_nano is None else self.cost_nano / max(self.work_s, 1e-9)


_Entry = tuple[float, float, int, int, QueuedRequest]  # urgency, deadline, number, place


def _stands(entry: _Entry) -> bool:
    return entry[4].place == entry[3]


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
        self._count = 0
        self.kv_tokens = 0
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
        return not self._waiting or self.kv_tokens + waiting.kv_tokens <= settings.queue.tokens_max

    def has_bytes_room(self, waiting: QueuedRequest, settings: Settings) -> bool:
        return self.body_bytes + waiting.arrival.body_bytes <= settings.queue.bytes_max

    def add(self, waiting: QueuedRequest, urgency: float) -> None:
        """The smallest urgency is served first."""
        request_id = waiting.arrival.request_id
        self._count += 1
        waiting.number = self._count
        self._waiting[request_id] = waiting
        self._urgency[request_id] = urgency
        self.kv_tokens += waiting.kv_tokens
        self.body_bytes += waiting.arrival.body_bytes
        self.work_s += waiting.work_s
        self._enter(waiting)

    def _enter(self, waiting: QueuedRequest) -> None:
        lanes = self._classes.setdefault(waiting.priority_class, OrderedDict())
        lane = lanes.setdefault(waiting.arrival.tenant, _Lane())
        self._count += 1
        waiting.place = self._count
        urgency = self._urgency[waiting.arrival.request_id]
        heappush(lane.heap, (urgency, waiting.deadline, waiting.number, waiting.place, waiting))
        lane.live += 1

    def remove(self, request_id: str) -> QueuedRequest:
        waiting = self._waiting.pop(request_id)
        del self._urgency[request_id]
        self.kv_tokens -= waiting.kv_tokens
        self.body_bytes -= waiting.arrival.body_bytes
        self.work_s = self.work_s - waiting.work_s if self._waiting else 0.0
        self._leave(waiting)
        return waiting

    def _leave(self, waiting: QueuedRequest) -> None:
        """Its entry stays in the lane, and is passed over when it comes up."""
        if not waiting.place:
            return
        waiting.place = 0
        lanes = self._classes[waiting.priority_class]
        lane = lanes[waiting.arrival.tenant]
        lane.live -= 1
        if lane.live == 0:
            del lanes[waiting.arrival.tenant]
        elif len(lane.heap) > 2 * lane.live + 16:
            lane.heap = [entry for entry in lane.heap if _stands(entry)]
            heapify(lane.heap)

    # Who is next

    def head(self, admits: Callable[[QueuedRequest], bool]) -> QueuedRequest | None:
        """The next request, of those that the policy admits. Asking again gives the same."""
        for priority_class in sorted(self._classes):
            if priority_class == PARKED_CLASS:
                break
            if (found := self._head_of(priority_class, admits)) is not None:
                return found
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
            turns = max(0, ceil((waiting.kv_tokens - lane.deficit_tokens) / QUANTUM_TOKENS))
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
        while not _stands(lane.heap[0]):
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
        lane.deficit_tokens -= waiting.kv_tokens
        if lane.deficit_tokens <= 0:
            lanes.move_to_end(waiting.arrival.tenant)

    def some_parked(self, most: int) -> list[QueuedRequest]:
        """So many of the parked, others each time."""
        lanes = self._classes.get(PARKED_CLASS, OrderedDict())
        found: list[QueuedRequest] = []
        for tenant in list(lanes)[:most]:
            if len(found) >= most:
                break
            lane = lanes[tenant]
            lanes.move_to_end(tenant)
            live = [entry for entry in lane.heap if _stands(entry)]
            taken = live[: most - len(found)]
            lane.heap = live[len(taken) :] + taken  # nobody is first among the parked
            found += [entry[4] for entry in taken]
        return found

    # Moments

    def at(self, moment: Moment, when: float, waiting: QueuedRequest) -> None:
        self._count += 1
        heappush(self._moments, (when, self._count, moment, waiting))
        if len(self._moments) > 8 * len(self._waiting) + 64:
            self._moments = [each for each in self._moments if self._is_here(each[3])]
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

    def promote(self, waiting: QueuedRequest, priority_class: int) -> None:
        """Into another class."""
        stands_aside = not waiting.place
        self._leave(waiting)
        waiting.priority_class = priority_class
        if not stands_aside:
            self._enter(waiting)

    def reorder(self, waiting: QueuedRequest, urgency: float) -> None:
        """It is worth more or less than it was."""
        self._urgency[waiting.arrival.request_id] = urgency
        if waiting.place:
            self._leave(waiting)
            self._enter(waiting)

    def set_aside(self, waiting: QueuedRequest) -> None:
        """It goes on waiting, but is not next, and keeps nobody behind it."""
        self._leave(waiting)

    def put_back(self, waiting: QueuedRequest) -> None:
        if self._is_here(waiting) and not waiting.place:
            self._enter(waiting)
