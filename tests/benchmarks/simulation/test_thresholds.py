"""Gateways that buy by a threshold, case by case, and the best of a grid."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulation.baselines import BEST_THRESHOLD, POLICIES, FirstCome, HighestValueFirst
from benchmarks.simulation.clairvoyant_bound import pools_bound
from benchmarks.simulation.experiment import BadExperiment, Experiment, prepare
from benchmarks.simulation.offers import make_offer
from benchmarks.simulation.pools import MODEL
from benchmarks.simulation.simulator import SpentTooMuch, simulate_pools
from benchmarks.simulation.sweep import (
    TRIALS_MAX,
    best_threshold,
    run,
    sweep,
    threshold_in_words,
)
from benchmarks.simulation.thresholds import GRID, BuyAbove, Threshold
from scheduler.arrival import Arrival
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.replica import EngineLimits, Replica
from scheduler.settings import Settings

SLOTS = 10


def a_request(number: int, work_s: float = 0.0, cost_nano: int | None = 1_000) -> QueuedRequest:
    arrival = Arrival(f"r{number}", "t", MODEL, 100, 10, 100, ttft_budget_ms=2_000)
    return QueuedRequest(arrival, 0.0, work_s=work_s, cost_nano=cost_nano)


def a_pool(*waiting: QueuedRequest, replicas: int = 2, in_flight: int = 0) -> Pool:
    pool = Pool.of(MODEL, Settings())
    for number in range(replicas):
        limits = EngineLimits(100_000, 10_000, SLOTS, 8_192)
        pool.join(ReplicaState(Replica(f"replica-{number}", MODEL, 1, limits)))
    for each in waiting:
        pool.queue.add(each, 0.0)
    pool.in_flight = in_flight
    return pool


def buys(measure: str, limit: float, waiting: QueuedRequest, pool: Pool) -> bool:
    threshold = Threshold(measure, limit)  # type: ignore[arg-type]
    return BuyAbove(threshold).buys_at_once(waiting, pool)


def test_by_the_queue_the_request_past_the_limit_is_bought() -> None:
    """Two replicas and at most two per replica: four wait, the fifth is bought."""
    waiting = [a_request(number) for number in range(5)]
    assert not buys("queue", 2, waiting[3], a_pool(*waiting[:4]))
    assert buys("queue", 2, waiting[4], a_pool(*waiting))
    assert buys("queue", 0, waiting[0], a_pool(waiting[0]))


def test_by_the_wait_what_is_ahead_counts_and_ones_own_work_does_not() -> None:
    """A quarter of 2 s is 0.5 s for each of two replicas: up to 1 s of work may be ahead."""
    ahead, new = a_request(0, work_s=1.0), a_request(1, work_s=50.0)
    assert not buys("wait", 0.25, new, a_pool(ahead, new))
    more = a_request(0, work_s=1.01)
    assert buys("wait", 0.25, new, a_pool(more, new))
    assert not buys("wait", 0.25, new, a_pool(new))


def test_by_the_load_nothing_is_sent_or_held_above_the_limit() -> None:
    policy, new = BuyAbove(Threshold("load", 0.8)), a_request(0)
    for in_flight, is_bought in ((15, False), (16, True), (20, True)):
        pool = a_pool(new, in_flight=in_flight)
        assert policy.buys_at_once(new, pool) is is_bought
        assert policy.admits(new, pool) is not is_bought
    full_cache = a_pool(new)
    full_cache.kv_share = 0.8
    assert policy.buys_at_once(new, full_cache)


@pytest.mark.parametrize("measure", ["queue", "wait"])
def test_the_other_measures_send_whatever_fits(measure: str) -> None:
    policy = BuyAbove(Threshold(measure, 0.0))  # type: ignore[arg-type]
    assert policy.admits(a_request(0), a_pool(in_flight=20))
    assert policy.buys_late(a_request(0), a_pool())
    assert policy.urgency(a_request(0), a_pool()) == FirstCome().urgency(a_request(0), a_pool())


def test_density_first_serves_first_whom_an_engine_second_saves_most() -> None:
    """Half the price and a tenth of the work is worth five times as much per engine second; who
    may not be bought is worth any price."""
    policy, pool = HighestValueFirst(), a_pool()
    dear, quick = a_request(0, 1.0, 1_000), a_request(1, 0.1, 500)
    pinned = a_request(2, 1.0, None)
    order = sorted((dear, quick, pinned), key=lambda each: policy.urgency(each, pool))
    assert order == [pinned, quick, dear]
    assert policy.admits(dear, pool)
    assert not policy.buys_at_once(dear, pool)
    assert policy.buys_late(dear, pool)


SMALL = Experiment(requests=300, replicas=1, load=2.0, offers=(make_offer("2.25", "0.45"),))


@settings(max_examples=3, deadline=None)
@given(
    seed=st.integers(1, 1_000),
    load=st.sampled_from([0.8, 1.5, 3.0]),
    offers=st.sampled_from([SMALL.offers, Experiment().offers]),
)
def test_the_best_threshold_is_no_worse_than_any_of_its_grid_and_nobody_beats_the_bound(
    seed: int, load: float, offers: tuple[object, ...]
) -> None:
    chosen = replace(SMALL, seed=seed, load=load, offers=offers, requests=120)  # type: ignore[arg-type]
    ready = prepare(replace(chosen, policy=BEST_THRESHOLD))
    bound = pools_bound(ready.workload, ready.pools)
    best = run(ready, bound.usd)
    spent = []
    for threshold in GRID:
        alone = simulate_pools(ready.workload, ready.pools, policy=BuyAbove(threshold))
        spent.append((alone.paid_nano + alone.missed_nano) / 1e9)
    assert best.outcome.spend_usd == min(spent)
    assert sorted(usd for _, usd in best.grid) == pytest.approx(sorted(spent))
    assert {threshold for threshold, _ in best.grid} == set(GRID)
    for policy in POLICIES:
        one = run(replace(ready, experiment=replace(ready.experiment, policy=policy))).outcome
        spent.append(one.spend_usd)
        assert one.preemptions == 0  # the bound leaves such requests out
    assert bound.usd is not None
    assert bound.usd <= min(spent) + 1e-9


@pytest.mark.parametrize("load", [0.5, 1.5, 3.0])  # at 0.5 all of the grid spend nothing
def test_the_best_threshold_alone_is_the_same_as_that_of_the_whole_grid(load: float) -> None:
    ready = prepare(replace(SMALL, load=load, policy=BEST_THRESHOLD))
    threshold, outcome = best_threshold(ready)
    whole = run(ready)
    assert (threshold, outcome.spend_usd) == whole.grid[0]
    assert (outcome.policy, outcome.reasons) == (BEST_THRESHOLD, whole.outcome.reasons)


def test_a_run_that_spends_too_much_is_left() -> None:
    ready = prepare(SMALL)
    spent = run(ready).outcome.spend_usd
    policy = POLICIES["bid-price"]()
    ran = simulate_pools(ready.workload, ready.pools, policy=policy, spend_usd_max=spent)
    assert ran.requests == 300
    with pytest.raises(SpentTooMuch):
        simulate_pools(ready.workload, ready.pools, policy=policy, spend_usd_max=spent / 2)


def test_a_trial_says_which_threshold_was_the_best_and_of_how_many() -> None:
    first_come, best = sweep(SMALL, policies=["first-come", BEST_THRESHOLD], with_bound=False)
    assert threshold_in_words(first_come) is None
    assert "grid" not in first_come.as_json()
    assert threshold_in_words(best) == (
        f"best-threshold at load 2 buys at once while {best.grid[0][0]}: of {len(GRID)} "
        "thresholds, tried on these very requests, the one that spent least"
    )
    assert best.outcome.policy == best.experiment.policy == BEST_THRESHOLD
    told = best.as_json()["grid"]
    assert isinstance(told, list)
    assert told[0] == {
        "buys_above": str(best.grid[0][0]),
        "spend_usd": best.outcome.spend_usd,
    }
    assert [each["spend_usd"] for each in told] == sorted(each["spend_usd"] for each in told)


def test_a_grid_counts_as_the_simulations_that_it_is() -> None:
    loads = [0.5 + step / 100 for step in range(TRIALS_MAX // len(GRID) + 1)]
    with pytest.raises(BadExperiment, match=f"at most {TRIALS_MAX}"):
        sweep(SMALL, loads, [BEST_THRESHOLD])
