"""Which targets are kept away from, and why: in the log, in /ready and as a metric."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import ceil

from scheduler.pool.circuit_breaker import BreakerState, Condition
from scheduler.snapshot import Snapshot

log = logging.getLogger("baseload.targets")


def shut_targets(snapshot: Snapshot) -> dict[str, Condition]:
    """The targets that are shut, with why; those whose breaker is closed are not among them."""
    conditions = {str(view.target): view.breaker for view in snapshot.replicas}
    conditions |= {str(view.target): view.breaker for view in snapshot.offers}
    return {
        target: condition
        for target, condition in conditions.items()
        if condition.state is not BreakerState.CLOSED
    }


def described(condition: Condition) -> dict[str, str | int]:
    """The shut targets for a JSON document."""
    cause = condition.cause.value if condition.cause is not None else ""
    return {"state": condition.state, "cause": cause, "tried_in_s": ceil(condition.left_s)}


class ShutLog:
    """A line for each target that was shut, and one when it serves again: two for one trouble,
    however often its probes fail."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def note(self, shut: Mapping[str, Condition]) -> None:
        for target in sorted(shut.keys() - self._told):
            told = described(shut[target])
            log.warning(
                "%s is %s (%s): tried again in %d s",
                target,
                told["state"],
                told["cause"],
                told["tried_in_s"],
            )
        for target in sorted(self._told - shut.keys()):
            log.info("%s is in use again, or gone", target)
        self._told = set(shut)
