"""The late-binding queue of one model: requests without a target yet.

First in, first out; ``in_order`` is the one place where another order comes in. Bounded in
requests and in tokens, where a request counts its prompt and its expected answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from scheduler.arrival import Arrival
from scheduler.book import kv_tokens_expected
from scheduler.settings import Settings


@dataclass(slots=True)
class Waiting:
    """A request without a target: just arrived, or held.

    ``excluded`` is the incarnation of a target that failed it, set on a retry only: a replica
    that boots again is a new incarnation and may serve it.
    """

    arrival: Arrival
    since: float
    excluded: str | None = None
    is_held: bool = False
    kv_tokens: int = field(init=False)
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.kv_tokens = kv_tokens_expected(self.arrival)
        self.deadline = self.since + self.arrival.ttft_budget_ms / 1000


class Queue:
    __slots__ = ("_waiting", "kv_tokens", "prompt_tokens")

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()
        self.kv_tokens = 0
        self.prompt_tokens = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def in_order(self) -> Iterator[Waiting]:
        return iter(self._waiting.values())

    def has_requests_room(self, settings: Settings) -> bool:
        return len(self._waiting) < settings.queue_requests_max

    def has_tokens_room(self, waiting: Waiting, settings: Settings) -> bool:
        """An empty queue takes any request, or one above the bound could never wait."""
        return not self._waiting or self.kv_tokens + waiting.kv_tokens <= settings.queue_tokens_max

    def add(self, waiting: Waiting) -> None:
        waiting.is_held = True
        self._waiting[waiting.arrival.request_id] = waiting
        self.kv_tokens += waiting.kv_tokens
        self.prompt_tokens += waiting.arrival.prompt_tokens

    def remove(self, request_id: str) -> None:
        waiting = self._waiting.pop(request_id)
        self.kv_tokens -= waiting.kv_tokens
        self.prompt_tokens -= waiting.arrival.prompt_tokens
