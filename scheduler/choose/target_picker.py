"""Which of the targets that may take a request gets it: least work, or least money.

Work is prefill tokens to be done times the requests that share the batch (LMetric, arXiv
2603.15202), where what a replica's prefix cache holds need not be done. Counts, not seconds: a
replica that happened to measure itself slow in its first steps would get no work, and so never
measure anything else. Equal work goes to the replica that prefills faster, where cards differ,
then to the smaller name, so that the same inputs give the same decisions.
"""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.budget import Budget
from scheduler.choose.room_and_caps import FULL_FOR_ALL, refuse_offer, refuse_replica
from scheduler.choose.valuation import Pools, offers_in_order
from scheduler.decision import Refusal, Verdict
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.settings import Settings

# Replicas looked at per decision: the holders of its prefix, and so many of the open ones.
CANDIDATES_MAX = 32


def held_tokens(waiting: QueuedRequest, state: ReplicaState, pool: Pool) -> int:
    """The tokens of the prompt that this replica was sent before."""
    arrival = waiting.arrival
    return pool.prefixes.hit_blocks(state.replica.replica_id, arrival.blocks) * arrival.block_tokens


def prefill_tokens(waiting: QueuedRequest, state: ReplicaState, pool: Pool) -> int:
    """The tokens of the prompt that this replica must compute: at least one token, even of a known
    prompt."""
    arrival = waiting.arrival
    if not arrival.blocks or not (held := held_tokens(waiting, state, pool)):
        return arrival.prompt_tokens
    trust = pool.prefixes.trust(state.replica.replica_id)
    return max(1, arrival.prompt_tokens - int(held * trust))


def best_replica(
    waiting: QueuedRequest,
    states: Iterable[ReplicaState],
    pool: Pool,
    settings: Settings,
    now: float,
) -> tuple[ReplicaState | None, list[Verdict]]:
    """The replica with the least work of those that may take it, and the finding on each."""
    best: tuple[int, float, str, ReplicaState] | None = None
    verdicts: list[Verdict] = []
    for state in states:
        tokens = prefill_tokens(waiting, state, pool)
        refusal = refuse_replica(waiting, tokens, state, pool.cost, settings, now)
        verdicts.append(state.verdicts[refusal])
        if refusal is not None:
            if refusal in FULL_FOR_ALL:
                pool.close(state)
                state.has_news = refusal is Refusal.STALE_REPORT  # any report would be news
            continue
        requests = state.in_flight + state.untracked_requests + 1
        work = (state.prefill_tokens_waiting + tokens) * requests
        key = (work, -state.prefill_tok_s(settings), state.replica.replica_id)
        if best is None or key < best[:3]:
            best = (*key, state)
    return best[3] if best else None, verdicts


def candidates(waiting: QueuedRequest, pool: Pool) -> Iterable[ReplicaState]:
    """The open replicas, or some of them and the holders of its prefix, where they are many."""
    states = pool.some_open(CANDIDATES_MAX)
    if len(states) < len(pool.open):
        holders = [pool.replicas[name] for name in waiting.hits if name in pool.replicas]
        states = list({state.replica.replica_id: state for state in [*holders, *states]}.values())
    if pool.reserved:
        states = [state for state in states if state.replica.replica_id not in pool.reserved]
    return states


def cheapest_offer(
    waiting: QueuedRequest, pool: Pool, budget: Budget, settings: Settings, now: float
) -> tuple[OfferState | None, list[Verdict]]:
    """The offer with the least expected cost of those that may take it, and the findings."""
    best: tuple[int, str, OfferState] | None = None
    verdicts: list[Verdict] = []
    output_tokens = waiting.output_tokens_expected
    for state in pool.offers:
        refusal = refuse_offer(waiting, state, budget, settings, now)
        verdicts.append(state.verdicts[refusal])
        cost_nano = state.cost_nano(waiting.arrival, output_tokens)
        if refusal is not None or cost_nano is None:
            continue
        if best is None or (cost_nano, state.offer.offer_id) < best[:2]:
            best = (cost_nano, state.offer.offer_id, state)
    return best[2] if best else None, verdicts


def offer_to_buy(
    waiting: QueuedRequest,
    pool: Pool,
    pools: Pools,
    budget: Budget,
    settings: Settings,
    now: float,
) -> tuple[tuple[QueuedRequest, OfferState] | None, list[Verdict]]:
    """The cheapest offer of the first of its models that has one for it, or of all of them where
    the cheapest counts, with the request as that model has it; and the findings."""
    best: tuple[int, QueuedRequest, OfferState] | None = None
    verdicts: list[Verdict] = []
    for candidate, _ in offers_in_order(waiting, pool, pools):
        of_model = pool if candidate is waiting else pools[candidate.arrival.model]
        state, found = cheapest_offer(candidate, of_model, budget, settings, now)
        verdicts += found
        if state is None:
            continue
        cost_nano = state.cost_nano(candidate.arrival, candidate.output_tokens_expected) or 0
        if best is None or cost_nano < best[0]:
            best = (cost_nano, candidate, state)
        if not waiting.arrival.buys_cheapest:
            break
    return best[1:] if best else None, verdicts


def survey(
    waiting: QueuedRequest,
    pool: Pool,
    pools: Pools,
    budget: Budget,
    settings: Settings,
    now: float,
) -> tuple[list[Verdict], list[Verdict]]:
    """The findings on replicas and on offers of all its models: the evidence of a refusal."""
    replicas = survey_replicas(waiting, pool, settings, now)
    for other in waiting.alternatives:
        if (its_pool := pools.get(other.arrival.model)) is not None:
            replicas += survey_replicas(other, its_pool, settings, now)
    _, offers = offer_to_buy(waiting, pool, pools, budget, settings, now)
    return replicas, offers


def survey_replicas(
    waiting: QueuedRequest, pool: Pool, settings: Settings, now: float
) -> list[Verdict]:
    """The finding on each of the first replicas: the evidence of a decision against them."""
    verdicts: list[Verdict] = []
    for state in pool.some(CANDIDATES_MAX):
        tokens = prefill_tokens(waiting, state, pool)
        refusal: Refusal | None = refuse_replica(waiting, tokens, state, pool.cost, settings, now)
        verdicts.append(state.verdicts[refusal])
    return verdicts
