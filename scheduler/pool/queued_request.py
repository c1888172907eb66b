"""A request without a target, with what it is worth and its place in line."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from scheduler.arrival import PRIORITY_FIRST, PRIORITY_LAST, Arrival
from scheduler.target import Incarnation

OFF_PEAK_CLASS = 3  # behind all priorities


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request without a target: just arrived, or held.

    ``excluded`` are the incarnations of targets that failed it, on a retry only: a replica that
    boots again is a new incarnation and may serve it. ``value_nano_per_s`` is what buying
    it would cost per engine second that it takes here, in nano-USD; infinite where it may not be
    bought.
    """

    arrival: Arrival
    since: float
    excluded: frozenset[Incarnation] = frozenset()
    # Set by its valuation.
    purchase_nano: int | None = None  # expected, at the offer that it would be bought from
    cost_nano: int | None = None  # of that, or of room at another model's replicas
    work_s: float = 0.0  # expected engine seconds
    cached_tokens: int = 0  # of the prompt, at the replica that holds most of it
    hits: dict[str, int] = field(default_factory=dict)  # leading blocks held, by replica
    # Set by its admission.
    alternatives: tuple[QueuedRequest, ...] = ()  # the same, as other models would take it
    is_held: bool = False
    is_capped: bool = False  # it was to be bought, and some limit forbade it
    # Set by the queue alone, as is its class.
    number: int = 0  # in the order of arrival
    entry_number: int = 0  # of its one valid entry in a lane; 0: it is in none
    reserved_replica_id: str | None = None  # from the head of the line: its room is kept for it
    is_off_peak: bool = field(init=False)
    first_class: int = field(init=False)
    priority_class: int = field(init=False)
    deadline: float = field(init=False)
    output_tokens_expected: int = field(init=False)
    kv_tokens_expected: int = field(init=False)

    def __post_init__(self) -> None:
        arrival = self.arrival
        deadline_ms = arrival.deadline_ms
        self.is_off_peak = deadline_ms is not None
        priority = min(max(arrival.priority, PRIORITY_FIRST), PRIORITY_LAST)
        self.first_class = self.priority_class = OFF_PEAK_CLASS if self.is_off_peak else priority
        budget_ms = arrival.ttft_budget_ms if deadline_ms is None else deadline_ms
        self.deadline = self.since + budget_ms / 1000
        self.output_tokens_expected = arrival.output_tokens_expected
        self.kv_tokens_expected = arrival.prompt_tokens + self.output_tokens_expected

    @property
    def value_nano_per_s(self) -> float:
        return inf if self.cost_nano is None else self.cost_nano / max(self.work_s, 1e-9)
