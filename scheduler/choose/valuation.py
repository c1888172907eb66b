"""What a request is worth here: engine seconds, what it would cost elsewhere, and until when
it can still go either way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scheduler.choose.room_and_caps import is_servable, may_ever_buy
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.settings import Settings

Pools = Mapping[str, Pool]  # by model


def value(waiting: QueuedRequest, pool: Pool, pools: Pools, now: float) -> None:
    """Fill in its footprint and its price, and count it as demand.

    A prompt that some replica holds in its prefix cache takes less time here, while a provider
    charges it in full: such requests are the last to be bought.
    """
    measure(waiting, pool)
    price(waiting, pool, pools, now)
    if is_demand(waiting, pool):
        pool.bid.add(waiting.value_nano_per_s, waiting.work_s, now)


def is_demand(waiting: QueuedRequest, pool: Pool) -> bool:
    """Whether it counts as asking for the time of these replicas."""
    if not pool.replicas or not pool.cost.is_measured:
        return False
    return not waiting.is_off_peak and waiting.arrival.is_local_allowed


def measure(waiting: QueuedRequest, pool: Pool) -> None:
    """Fill in what it takes of an engine of this pool."""
    arrival = waiting.arrival
    if arrival.blocks:
        waiting.hits = pool.prefixes.hits(arrival.blocks)
        for replica_id, blocks in waiting.hits.items():
            tokens = int(blocks * arrival.block_tokens * pool.prefixes.trust(replica_id))
            waiting.cached_tokens = max(waiting.cached_tokens, tokens)
    first = next(iter(pool.replicas.values()), None)
    if first is not None:
        limits = first.replica.limits
        waiting.work_s = pool.cost.work_s(arrival, waiting.cached_tokens, limits)


def price(waiting: QueuedRequest, pool: Pool, pools: Pools, now: float) -> None:
    """Fill in what it would cost not to serve it here: bought, or at another model's replicas,
    whichever is less. None where it can go nowhere else."""
    waiting.purchase_nano = waiting.cost_nano = purchase_nano(waiting, pool, pools)
    if not waiting.alternatives:
        return
    charges = [
        charge
        for other in waiting.alternatives
        if (charge := room_charge_nano(other, pools.get(other.arrival.model), now)) is not None
    ]
    if waiting.purchase_nano is not None:
        charges.append(waiting.purchase_nano)
    waiting.cost_nano = min(charges, default=None)


def reprice(waiting: QueuedRequest, pool: Pool, pools: Pools) -> None:
    """Prices anew a request that waits, for which no other model had room."""
    waiting.purchase_nano = waiting.cost_nano = purchase_nano(waiting, pool, pools)


def price_of_staying(waiting: QueuedRequest, pool: Pool, pools: Pools, now: float) -> None:
    """Fill in what it would cost not to serve it here, once no other model has room that it may
    take: that it could be had there for less says nothing any more. Its demand is worth as much."""
    before = waiting.value_nano_per_s
    reprice(waiting, pool, pools)
    if is_demand(waiting, pool) and waiting.value_nano_per_s != before:
        pool.bid.take_back(before, waiting.work_s)
        pool.bid.add(waiting.value_nano_per_s, waiting.work_s, now)


def purchase_nano(waiting: QueuedRequest, pool: Pool, pools: Pools) -> int | None:
    """What it is expected to cost where it would be bought: at the cheapest offer of the first
    model that has one for it, or of all its models where the cheapest counts."""
    if not waiting.alternatives:
        return min(_costs(waiting, pool.offers), default=None)
    costs: list[int] = []
    for candidate, offers in offers_in_order(waiting, pool, pools):
        costs += _costs(candidate, offers)
        if costs and not waiting.arrival.buys_cheapest:
            break
    return min(costs, default=None)


def offers_in_order(
    waiting: QueuedRequest, pool: Pool, pools: Pools
) -> Iterator[tuple[QueuedRequest, list[OfferState]]]:
    """The request as each of its models has it, with that model's offers."""
    yield waiting, pool.offers
    for other in waiting.alternatives:
        if (its_pool := pools.get(other.arrival.model)) is not None:
            yield other, its_pool.offers


def _costs(waiting: QueuedRequest, offers: list[OfferState]) -> list[int]:
    arrival = waiting.arrival
    return [
        cost_nano
        for state in offers
        if may_ever_buy(waiting, state)
        and (cost_nano := state.cost_nano(arrival, arrival.output_tokens_expected)) is not None
    ]


def room_charge_nano(waiting: QueuedRequest, pool: Pool | None, now: float) -> int | None:
    """What the engine time that it would take of these replicas is worth at this moment: nothing
    while there is room to spare. None where there is none, or it may not have it."""
    if pool is None or pool.occupancy >= 1.0 or not is_servable(waiting, pool, now):
        return None
    if not waiting.work_s:
        measure(waiting, pool)
    return round(pool.bid.admission_price * waiting.work_s)


def latest_at(waiting: QueuedRequest, pool: Pool, pools: Pools, settings: Settings) -> float:
    """The moment from which an offer could no longer make the deadline, or an idle replica could
    not: the earlier of the two, for past it waiting only costs."""
    arrival = waiting.arrival
    start_s = min(
        (
            state.ttft_s(settings)
            for candidate, offers in offers_in_order(waiting, pool, pools)
            for state in offers
            if may_ever_buy(candidate, state)
        ),
        default=0.0,
    )
    if pool.cost.is_measured:
        prefill_tokens = arrival.prompt_tokens - waiting.cached_tokens
        start_s = max(start_s, pool.cost.prefill_s(prefill_tokens))
    answer_s = 0.0
    if waiting.is_off_peak:
        answer_s = arrival.output_tokens_expected / settings.spill.offer_tok_s_assumed
    return waiting.deadline - start_s - answer_s - settings.queue.deadline_margin_ms / 1000
