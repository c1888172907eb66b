"""What the scheduler answers: an action for a request, with its reason and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scheduler.target import Target


class Reason(StrEnum):
    """Why a request went where it went. The same word in header, ledger, span and metric."""

    LOCAL_FIT = "local_fit"  # a replica had room at once
    HELD = "held"  # waited in the queue, then a replica had room
    VALLEY = "valley"  # of the off-peak lane: a replica had room that nobody else wanted
    SPILL_PRICE = "spill_price"  # buying it costs less than the engine time it would take
    SPILL_LATENCY = "spill_latency"  # no replica within the latency budget: bought
    SPILL_NO_REPLICA = "spill_no_replica"  # no live replica of the model: bought
    SUBSTITUTE = "substitute"  # the first model of its rule was full, and another had room
    MUST_LEAVE = "must_leave"  # a rule keeps it from the replicas here: bought
    CONTINUED = "continued"  # the first target broke off mid-answer: its twin goes on with it
    HEDGE = "hedge"  # the first target was slow to speak: this one was asked beside it
    RETRY = "retry"  # the first target failed before it had started
    QUEUE_FULL = "queue_full"  # a bound of the queue was reached
    QUEUE_TIMEOUT = "queue_timeout"  # waited as long as anything may wait
    SPILL_CAPPED = "spill_capped"  # waited, and a budget or a provider's limit forbade to buy it
    NO_TARGET = "no_target"  # nothing can serve it: neither replica nor offer
    CONTEXT_TOO_LONG = "context_too_long"  # prompt and answer fit no target's context


class Refusal(StrEnum):
    """Why one candidate was not, or could not be, chosen."""

    CONTEXT = "context"  # prompt and answer are longer than its context
    DEAD = "dead"  # the replica is gone, or was taken off the list
    STALE_REPORT = "stale_report"  # its last load report is old: nothing more until the next
    BREAKER_OPEN = "breaker_open"  # it failed again and again, and is tried again later
    PAUSED = "paused"  # it asked to be left alone for a while: a limit of its own, or overload
    NO_KV_ROOM = "no_kv_room"  # the request would not fit its KV cache to the end
    NO_SLOT = "no_slot"  # it runs as many requests as it may
    ENGINE_QUEUE = "engine_queue"  # its engine has prompts waiting already
    TOO_LATE = "too_late"  # it would not answer within the latency budget
    PRICE_UNKNOWN = "price_unknown"  # the offer has no price today
    IN_FLIGHT_MAX = "in_flight_max"  # as many requests are under way at the offer as may be
    NOT_ALLOWED = "not_allowed"  # a rule, its sensitivity or a field of the request keeps it away
    RATE_REQUESTS = "rate_requests"  # the provider's requests per minute
    RATE_TOKENS = "rate_tokens"  # the provider's tokens per minute
    SPEND_CAP = "spend_cap"  # USD per hour, over all
    TENANT_BUDGET = "tenant_budget"  # USD per hour of this tenant
    EXCLUDED = "excluded"  # already failed this very request


@dataclass(frozen=True, slots=True)
class Verdict:
    """The finding on one candidate; ``refusal`` is None where it could have served."""

    target: Target
    refusal: Refusal | None


def verdicts_on(target: Target) -> Mapping[Refusal | None, Verdict]:
    """Every verdict that one target can get: the same few come again with each request."""
    return {refusal: Verdict(target, refusal) for refusal in (None, *Refusal)}


@dataclass(frozen=True, slots=True)
class Dispatch:
    request_id: str
    target: Target  # a replica
    reason: Reason
    verdicts: tuple[Verdict, ...] = ()

    @property
    def replica_id(self) -> str:
        return self.target.id


@dataclass(frozen=True, slots=True)
class Buy:
    request_id: str
    target: Target  # an offer
    reason: Reason
    verdicts: tuple[Verdict, ...] = ()

    @property
    def offer_id(self) -> str:
        return self.target.id


@dataclass(frozen=True, slots=True)
class Hold:
    """The request was queued. A later action of ``on_tick`` or another event ends the wait."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The request was refused. ``retry_after_s`` is None where a retry cannot help."""

    request_id: str
    reason: Reason
    retry_after_s: int | None
    verdicts: tuple[Verdict, ...] = ()


Action = Dispatch | Buy | Hold | Reject


class Outcome(StrEnum):
    """How an attempt ended, as told to ``on_finish``."""

    OK = "ok"  # the whole answer came
    CLIENT_LEFT = "client_left"  # the caller was gone before the answer was whole
    CLIENT_ERROR = "client_error"  # the target answered 4xx: the request's own fault
    TARGET_FAILED = "target_failed"  # refused the connection, 5xx, stall, broken stream
    TARGET_BUSY = "target_busy"  # 529 and the like: overloaded, it asks for a pause
    RATE_LIMITED = "rate_limited"  # 429: a limit of its own was reached, it asks for a pause
    KEY_REFUSED = "key_refused"  # 401, 402: our key or our balance there, for all its models
    DEADLINE = "deadline"  # the time of the whole request was up: nothing is said of the target
    HEDGE_LOST = "hedge_lost"  # another target spoke first: nothing is said of this one
    ACCESS_REFUSED = "access_refused"  # 403: our account there, or just this model or request
