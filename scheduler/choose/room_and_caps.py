"""Hard filters: which targets may take a request at this moment, and why the others may not.

They fail closed: what is unknown or in doubt is refused, and the first finding is the verdict.
A replica is filled only as far as its engine can start the request at once, so that the engine's
own queue stays near empty and whatever waits, waits where it can still go elsewhere.
"""

from __future__ import annotations

from math import ceil

from scheduler.budget import Budget
from scheduler.decision import Refusal
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.pool.step_cost import StepCost
from scheduler.settings import Settings
from scheduler.target import Incarnation

# Refusals that a replica would give to any request: it leaves the list of open ones.
FULL_FOR_ALL = frozenset({Refusal.STALE_REPORT, Refusal.NO_SLOT})

# Refusals of an offer by a budget or a limit of its provider.
CAPS = frozenset(
    {
        Refusal.SPEND_CAP,
        Refusal.TENANT_BUDGET,
        Refusal.RATE_REQUESTS,
        Refusal.RATE_TOKENS,
        Refusal.IN_FLIGHT_MAX,
        Refusal.PAUSED,
    }
)


def refuse_lasting(waiting: QueuedRequest, state: ReplicaState, now: float) -> Refusal | None:
    """What no amount of free room at a replica would change."""
    if waiting.arrival.context_tokens > state.replica.limits.context_tokens_max:
        return Refusal.CONTEXT
    if not waiting.arrival.is_local_allowed:
        return Refusal.NOT_ALLOWED
    if not state.is_alive:
        return Refusal.DEAD
    if waiting.excluded and state.replica.incarnation in waiting.excluded:
        return Refusal.EXCLUDED
    return state.breaker.refuses(now)


def refuse_replica(
    waiting: QueuedRequest,
    prefill_tokens: int,
    state: ReplicaState,
    cost: StepCost,
    settings: Settings,
    now: float,
) -> Refusal | None:
    """``prefill_tokens`` of the prompt are not in this replica's prefix cache."""
    if refusal := refuse_lasting(waiting, state, now):
        return refusal
    is_fresh = state.is_fresh(settings, now)
    if state.slots_free(settings, is_fresh) <= 0:
        is_full = state.in_flight >= state.replica.limits.max_num_seqs
        return Refusal.NO_SLOT if is_fresh or is_full else Refusal.STALE_REPORT
    if is_fresh and state.engine_queues:
        return Refusal.ENGINE_QUEUE
    # A full batch of prompts is ahead of it: it waits here, where it can still go elsewhere.
    if state.prefill_tokens_waiting >= state.replica.limits.max_num_batched_tokens:
        return Refusal.ENGINE_QUEUE
    # An idle engine takes any request that fits its context, however long: else it never starts.
    if state.in_flight or (is_fresh and state.untracked_requests):
        arrival = waiting.arrival
        prompt, output = arrival.prompt_tokens, arrival.output_tokens_expected
        if not state.has_kv_room(prompt, output, settings, is_fresh):
            return Refusal.NO_KV_ROOM
    # Late is better than never, so only those who can go elsewhere are turned away for it.
    may_leave = waiting.cost_nano is not None and not waiting.is_capped and cost.is_measured
    if may_leave and now + first_token_s(state, prefill_tokens, cost) > waiting.deadline:
        return Refusal.TOO_LATE
    return None


def first_token_s(state: ReplicaState, prefill_tokens: int, cost: StepCost) -> float:
    """Seconds until a request sent now gets its first token: the step under way, then those that
    prefill it and what is ahead of it, shared with the requests that decode."""
    tokens = state.prefill_tokens_waiting + prefill_tokens
    per_step = max(1, state.replica.limits.max_num_batched_tokens - state.in_flight)
    steps = 1 + ceil(tokens / per_step)
    step_s = cost.step_s + state.in_flight * cost.decode_token_s
    return steps * step_s + cost.prefill_s(tokens)


def refuse_offer(
    waiting: QueuedRequest, state: OfferState, budget: Budget, settings: Settings, now: float
) -> Refusal | None:
    if refusal := refuse_for_good(waiting, state):
        return refusal
    arrival, offer = waiting.arrival, state.offer
    most_nano = offer.most_nano(arrival)
    if most_nano is None:
        return Refusal.PRICE_UNKNOWN
    if waiting.excluded and Incarnation(state.target, None) in waiting.excluded:
        return Refusal.EXCLUDED
    if len(state.requests) >= offer.in_flight_max:
        return Refusal.IN_FLIGHT_MAX
    if refusal := state.breaker.refuses(now):
        return refusal
    return budget.refuses(arrival, offer, most_nano, settings, now)


def refuse_for_good(waiting: QueuedRequest, state: OfferState) -> Refusal | None:
    """What no room at an offer, and no price of it, would change."""
    arrival, offer = waiting.arrival, state.offer
    if arrival.offers is not None and offer.offer_id not in arrival.offers:
        return Refusal.NOT_ALLOWED
    if arrival.context_tokens > offer.context_tokens_max:
        return Refusal.CONTEXT
    return None


def may_ever_buy(waiting: QueuedRequest, state: OfferState) -> bool:
    """Whether an offer is one of its candidates at all, whatever its state is at this moment."""
    return refuse_for_good(waiting, state) is None and state.offer.price is not None


def is_servable(waiting: QueuedRequest, pool: Pool, now: float) -> bool:
    """Whether a live replica could serve it, once it has room."""
    return any(refuse_lasting(waiting, state, now) is None for state in pool.replicas.values())
