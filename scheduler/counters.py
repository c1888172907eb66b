"""How often each thing was decided, and each bound bit, since the scheduler started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scheduler.decision import Buy, Dispatch, Reason, Refusal, Reject
from scheduler.snapshot import Limit


@dataclass(slots=True)
class Counters:
    reasons: Counter[Reason] = field(default_factory=Counter)
    refusals: Counter[Refusal] = field(default_factory=Counter)
    limits: Counter[Limit] = field(default_factory=Counter)

    def count(self, action: Dispatch | Buy | Reject) -> None:
        self.reasons[action.reason] += 1
        for verdict in action.verdicts:
            if verdict.refusal is not None:
                self.refusals[verdict.refusal] += 1
        if isinstance(action, Reject) and action.reason is Reason.QUEUE_TIMEOUT:
            self.limits[Limit.QUEUE_WAIT] += 1
