"""What happens to requests, told to whoever looks on: metrics, spans, a page that shows it live.

Observers are called in the middle of requests. They return at once, await nothing, and change
nothing that they are given. What they raise ends here: no request is hurt by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.errors import BaseloadError
from runtime.ledger.rows import Reserve, Settle
from runtime.request.job import Job
from runtime.request.request_record import RequestRecord
from runtime.request_limits import refusals
from runtime.routing.demotions import NOTHING_SEEN, QualitySeen
from runtime.targets.connection_faults import Fault
from scheduler.arrival import Arrival
from scheduler.decision import Buy, Dispatch, Reject
from scheduler.snapshot import Snapshot

log = logging.getLogger("baseload.observer")


@dataclass(frozen=True, slots=True)
class Sample:
    """How a gateway is at one moment."""

    snapshot: Snapshot
    limits: Mapping[str, int]  # how often each bound of what is learned bit, by name
    faults: Mapping[tuple[str, Fault], int]  # connections that could not be had, by target
    config_is_refused: bool  # the configuration deployed last is not the one that serves
    now_s: float  # monotonic, on the gateway's clock
    quality: QualitySeen = NOTHING_SEEN


class Observer(Protocol):
    """An observer inherits from this and has the methods of the events that it wants to know; each
    has a ``return`` here, so that type checkers do not ask for the others.

    A request gives ``accepted``, then as many ``decided``, ``reserved``, ``first_token`` and
    ``attempt_ended`` as its attempts come to (those of a rival among the first one's, and one more
    ``decided`` for each twin that is to go on), then one ``refused`` or one ``ended``. Only one
    that the edge turns away as it reads it (no key, no JSON, no such model) gives
    ``refused`` alone.
    """

    def accepted(self, job: Job) -> None:
        """The request was read and sized; from now on it wants a target."""
        return

    def decided(self, arrival: Arrival, decision: Dispatch | Buy | Reject) -> None:
        """Its wait is over. The decision has the verdict on each candidate that was looked at."""
        return

    def reserved(self, job: Job, row: Reserve) -> None:
        """The intent of an attempt is on disk: its target is asked next."""
        return

    def first_token(self, job: Job, ttft_ms: int) -> None:
        """The answer has begun, so long after the request arrived."""
        return

    def other_model(self, job: Job, decision: Dispatch | Buy) -> None:
        """The target says that another model has answered than the one that it was asked for."""
        return

    def attempt_ended(self, job: Job, decision: Dispatch | Buy, row: Settle) -> None:
        """Once for each ``reserved``, and for one whose caller left while it was written."""
        return

    def refused(self, record: RequestRecord, error: BaseloadError) -> None:
        """The request is over before its answer began: its caller is told of the ``error``."""
        return

    def ended(self, job: Job) -> None:
        """It is over in any other way: answered, broken off, or its caller left.
        ``job.record`` has what is known of it."""
        return

    def sampled(self, sample: Sample) -> None:
        """Now and then, whether there are requests or not."""
        return


class Observers:
    """All observers of a gateway as one, and the one place where their failures end."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        present = tuple(observers)
        self._accepted = _those_with(present, "accepted")
        self._decided = _those_with(present, "decided")
        self._reserved = _those_with(present, "reserved")
        self._first_token = _those_with(present, "first_token")
        self._other_model = _those_with(present, "other_model")
        self._attempt_ended = _those_with(present, "attempt_ended")
        self._refused = _those_with(present, "refused")
        self._ended = _those_with(present, "ended")
        self._sampled = _those_with(present, "sampled")
        self._logged: set[str] = set()  # methods that failed: as many as there are at most

    def accepted(self, job: Job) -> None:
        self._tell(self._accepted, job)

    def decided(self, arrival: Arrival, decision: Dispatch | Buy | Reject) -> None:
        self._tell(self._decided, arrival, decision)

    def reserved(self, job: Job, row: Reserve) -> None:
        self._tell(self._reserved, job, row)

    def first_token(self, job: Job, ttft_ms: int) -> None:
        self._tell(self._first_token, job, ttft_ms)

    def other_model(self, job: Job, decision: Dispatch | Buy) -> None:
        self._tell(self._other_model, job, decision)

    def attempt_ended(self, job: Job, decision: Dispatch | Buy, row: Settle) -> None:
        self._tell(self._attempt_ended, job, decision, row)

    def refused(self, record: RequestRecord, error: BaseloadError) -> None:
        self._tell(self._refused, record, error)

    def ended(self, job: Job) -> None:
        self._tell(self._ended, job)

    def sampled(self, sample: Sample) -> None:
        self._tell(self._sampled, sample)

    def _tell(self, methods: tuple[Callable[..., None], ...], *event: Any) -> None:
        for method in methods:
            try:
                method(*event)
            except Exception:  # the boundary: who only looks on must not hurt who is looked at
                refusals["observer_failed"] += 1
                name = method.__qualname__
                if name not in self._logged:
                    self._logged.add(name)
                    log.exception("%s failed; when it does again it is only counted", name)


def _those_with(observers: tuple[Observer, ...], event: str) -> tuple[Callable[..., None], ...]:
    """The methods of those that want to know of it: the others cost nothing."""
    unheard = getattr(Observer, event)
    return tuple(
        getattr(observer, event)
        for observer in observers
        if getattr(type(observer), event) is not unheard
    )
