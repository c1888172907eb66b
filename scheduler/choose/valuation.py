"""What a request is worth here: engine seconds, what it would cost elsewhere, and until when
it can still go either way."""

from __future__ import annotations

from scheduler.choose.eligibility import may_ever_buy
from scheduler.pool.pool import Pool
from scheduler.pool.queue import QueuedRequest
from scheduler.settings import Settings


def value(waiting: QueuedRequest, pool: Pool, now: float) -> None:
    """Fill in its footprint and its price, and count it as demand.

    A prompt that some replica holds in its prefix cache takes less time here, while a provider
    charges it in full: such requests are the last to be bought.
    """
    arrival = waiting.arrival
    if arrival.blocks:
        waiting.hits = pool.prefixes.hits(arrival.blocks)
        for replica_id, blocks in waiting.hits.items():
            tokens = int(blocks * arrival.block_tokens * pool.prefixes.trust(replica_id))
            waiting.cached_tokens = max(waiting.cached_tokens, tokens)
    waiting.cost_nano = cost_elsewhere(waiting, pool)
    first = next(iter(pool.replicas.values()), None)
    if first is None:
        return
    waiting.work_s = pool.cost.work_s(arrival, waiting.cached_tokens, first.replica.limits)
    if pool.cost.is_measured and not waiting.is_off_peak and arrival.is_local_allowed:
        pool.bid.add(waiting.value_nano_per_s, waiting.work_s, now)


def cost_elsewhere(waiting: QueuedRequest, pool: Pool) -> int | None:
    """What it is expected to cost at the cheapest offer that it may have; None for none."""
    arrival = waiting.arrival
    costs = [
        cost_nano
        for state in pool.offers
        if may_ever_buy(waiting, state)
        and (cost_nano := state.cost_nano(arrival, arrival.output_tokens_expected)) is not None
    ]
    return min(costs, default=None)


def latest_at(waiting: QueuedRequest, pool: Pool, settings: Settings) -> float:
    """The moment from which an offer could no longer make the deadline, or an idle replica could
    not: the earlier of the two, for past it waiting only costs."""
    arrival = waiting.arrival
    offers = [state for state in pool.offers if may_ever_buy(waiting, state)]
    start_s = min((state.ttft_s(settings) for state in offers), default=0.0)
    if pool.cost.is_measured:
        prefill_tokens = arrival.prompt_tokens - waiting.cached_tokens
        start_s = max(start_s, pool.cost.prefill_s(prefill_tokens))
    answer_s = 0.0
    if waiting.is_off_peak:
        answer_s = arrival.output_tokens_expected / settings.spill.offer_tok_s_assumed
    return waiting.deadline - start_s - answer_s - settings.queue.deadline_margin_ms / 1000
