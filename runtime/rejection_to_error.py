"""What the scheduler's refusals are to a caller."""

from __future__ import annotations

from runtime.errors import (
    BaseloadError,
    ContextTooLong,
    NoTarget,
    QueueFull,
    QueueTimeout,
    SpillCapped,
)
from scheduler.decision import Reason, Reject


def refusal_of(action: Reject) -> BaseloadError:
    error: BaseloadError
    match action.reason:
        case Reason.CONTEXT_TOO_LONG:
            error = ContextTooLong("The prompt and the answer do not fit the model's context.")
        case Reason.QUEUE_TIMEOUT:
            error = QueueTimeout()
        case Reason.NO_TARGET:
            error = NoTarget(retry_after_s=action.retry_after_s)
        case Reason.SPILL_CAPPED:
            error = SpillCapped(retry_after_s=action.retry_after_s)
        case _:
            error = QueueFull(retry_after_s=action.retry_after_s)
    error.reason = action.reason.value
    return error
