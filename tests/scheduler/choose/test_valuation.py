from __future__ import annotations

from math import inf

import pytest

from scheduler.choose.valuation import latest_at, value
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.settings import AdmissionSettings, QueueSettings, Settings, SpillSettings
from tests.scheduler.given import arrival, offer_state, pool_of, price, replica

SETTINGS = Settings(
    spill=SpillSettings(offer_ttft_ms_assumed=700, offer_tok_s_assumed=25.0),
    queue=QueueSettings(deadline_margin_ms=100),
    admission=AdmissionSettings(prefill_tok_s_assumed=1_000.0, decode_step_s_assumed=0.1),
)
BLOCKS = tuple(range(10))


def a_pool(*, measured: bool = True, replicas: int = 1) -> Pool:
    """Two priced offers, one cheaper, and one without a price."""
    offers = [
        offer_state("dear", at=price(8_000_000, 32_000_000)),
        offer_state("cheap", at=price(1_000_000, 4_000_000)),
        offer_state("unknown", at=None),
    ]
    states = [ReplicaState(replica(f"r{n}")) for n in range(replicas)]
    pool = pool_of(*states, offers=offers, settings=SETTINGS)
    pool.cost.is_measured = measured
    return pool


def valued(pool: Pool, **change: object) -> QueuedRequest:
    waiting = QueuedRequest(arrival(**change), 10.0)  # type: ignore[arg-type]
    value(waiting, pool, {}, 10.0)
    return waiting


def demand(pool: Pool) -> float:
    return sum(pool.bid._curve._work_s)


def test_it_costs_what_the_cheapest_offer_that_it_may_have_would_take() -> None:
    pool = a_pool()
    assert valued(pool, prompt=100, output=50).cost_nano == 100_000 + 200_000
    assert valued(pool, offers=frozenset({"dear", "unknown"})).cost_nano == 8 * 300_000
    assert valued(pool, offers=frozenset({"unknown"})).cost_nano is None
    assert valued(pool, prompt=7_901, output_max=100).cost_nano is None  # no such context
    pinned = valued(pool, offers=frozenset())
    assert (pinned.cost_nano, pinned.value_nano_per_s) == (None, inf)


def test_value_nano_per_second_is_the_price_of_an_engine_second() -> None:
    one = valued(a_pool(), prompt=100, output=50)
    assert one.work_s == pytest.approx(0.1 + 50 * 0.1 / 8)
    assert one.value_nano_per_s == pytest.approx(300_000 / one.work_s)


def test_a_warm_prompt_takes_less_here_but_costs_as_much_elsewhere() -> None:
    pool = a_pool(replicas=2)
    cold = valued(pool, blocks=BLOCKS, block_tokens=10)
    pool.prefixes.sent("r0", BLOCKS[:3], 0)
    pool.prefixes.sent("r1", BLOCKS[:8], 0)
    warm = valued(pool, blocks=BLOCKS, block_tokens=10)
    assert (cold.cached_tokens, warm.cached_tokens) == (0, 80)
    assert warm.hits == {"r0": 3, "r1": 8}
    assert warm.cost_nano == cold.cost_nano
    assert warm.work_s == pytest.approx(cold.work_s - 0.08)
    assert warm.value_nano_per_s > cold.value_nano_per_s
    pool.prefixes._caches["r1"].trust.factor = 0.25
    assert valued(pool, blocks=BLOCKS, block_tokens=10).cached_tokens == 30


def test_it_counts_as_demand_once_costs_were_measured_unless_it_can_wait_for_hours() -> None:
    pool = a_pool()
    one = valued(pool)
    assert demand(pool) == one.work_s
    valued(pool, deadline_ms=3_600_000)
    assert demand(pool) == one.work_s
    for nothing in (a_pool(measured=False), a_pool(replicas=0)):
        valued(nothing)
        assert demand(nothing) == 0.0


# Until when it can go either way: from 10 s on, 2 s for the first token


def latest(pool: Pool, **change: object) -> float:
    return latest_at(valued(pool, **change), pool, {}, SETTINGS)


def test_the_latest_moment_leaves_an_offer_its_time_to_the_first_token() -> None:
    assert latest(a_pool()) == pytest.approx(12.0 - 0.7 - 0.1)


def test_the_fastest_offer_that_it_may_have_decides() -> None:
    pool = a_pool()
    for state, ttft_s in zip(pool.offers, (0.2, 1.2, 0.01), strict=True):
        state.ttft_mean_s = ttft_s
    assert latest(pool) == pytest.approx(12.0 - 0.2 - 0.1)
    assert latest(pool, offers=frozenset({"cheap"})) == pytest.approx(12.0 - 1.2 - 0.1)


def test_a_prompt_that_takes_longer_here_than_an_offer_moves_it_forward() -> None:
    pool = a_pool()
    assert latest(pool, prompt=1_500) == pytest.approx(12.0 - 1.5 - 0.1)
    assert latest(a_pool(measured=False), prompt=1_500) == pytest.approx(12.0 - 0.7 - 0.1)
    pool.prefixes.sent("r0", BLOCKS, 0)
    warm = latest(pool, prompt=1_500, blocks=BLOCKS, block_tokens=100)
    assert warm == pytest.approx(12.0 - 0.7 - 0.1)


def test_a_batch_request_must_be_complete_by_its_deadline() -> None:
    at = latest(a_pool(), deadline_ms=60_000, output=50)
    assert at == pytest.approx(70.0 - 0.7 - 50 / 25 - 0.1)
