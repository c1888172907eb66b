"""Whole runs of the real scheduler, small enough for seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from benchmarks.simulation import stopwatch
from benchmarks.simulation.arrivals import Lengths, synthetic_rows
from benchmarks.simulation.baselines import POLICIES, policy_name
from benchmarks.simulation.faults import Death, Faults
from benchmarks.simulation.gateway import BrokenContract
from benchmarks.simulation.outcome import Outcome, outcome_of
from benchmarks.simulation.pools import MODEL, SimPool
from benchmarks.simulation.run_counters import Run
from benchmarks.simulation.simulator import simulate, simulate_stream
from benchmarks.simulation.workload import Request, Workload, make_workload
from scheduler.arrival import Arrival
from scheduler.decision import Action, Dispatch, Reason
from scheduler.state_machine import Scheduler
from scheduler.target import Target, TargetKind
from tests.benchmarks.simulation.example_profile import PROFILE

ROWS = synthetic_rows(
    "poisson", 900, 5.0, seed=3, lengths=Lengths(prompt_median=1_500, output_median=60)
)
REPLICAS = 2


def workload(load: float, **options: Any) -> Workload:
    return make_workload(ROWS, PROFILE, replicas=REPLICAS, load=load, ttft_ms=2_000, **options)


def run(load: float, policy: str = "bid-price", **options: Any) -> Run:
    mix = {name: options.pop(name) for name in ("pinned_share", "batch_share") if name in options}
    return simulate(
        workload(load, **mix), PROFILE, replicas=REPLICAS, policy=POLICIES[policy](), **options
    )


def outcome(load: float, policy: str = "bid-price", **options: Any) -> Outcome:
    return outcome_of(run(load, policy, **options))


def ended(of: Run) -> int:
    return of.local + of.bought + of.refused + of.broken_off + of.given_up


@pytest.mark.parametrize("policy", POLICIES)
def test_every_request_ends_once_and_one_seed_gives_one_run(policy: str) -> None:
    first, second = (run(2.0, policy, lengths="learned") for _ in range(2))
    assert ended(first) == first.requests == len(ROWS)
    assert first.met + first.missed == first.requests
    assert first.given_up == 0
    assert first.pinned_bought == 0
    figures = [outcome_of(each).as_json() for each in (first, second)]
    for values in figures:
        del values["decisions_per_s"], values["cpu_us_per_decision"]
    assert figures[0] == figures[1]
    assert figures[0]["policy"] == policy


def test_a_pool_with_room_buys_nothing_and_meets_all() -> None:
    calm = outcome(0.5)
    assert calm.spend_usd == 0
    assert calm.slo_attainment == 1.0
    assert calm.load == pytest.approx(0.5, abs=0.1)
    assert calm.local_utilization == pytest.approx(0.5, abs=0.1)
    assert calm.local_utilization <= calm.busy_share <= 1.0


def test_overload_is_bought_and_what_is_kept_fits_the_capacity() -> None:
    busy = outcome(2.0)
    assert busy.slo_attainment is not None
    assert busy.slo_attainment > 0.95
    assert 0.3 < (busy.spilled_share or 0) < 0.8
    assert 0.6 < busy.local_utilization <= busy.busy_share <= 1.0
    assert busy.missed_usd + busy.paid_usd == pytest.approx(busy.spend_usd)
    assert 0 < busy.spend_usd < busy.buy_all_usd
    assert (busy.cpu_us_per_decision or 0) > 0


def test_the_bid_price_spends_less_than_every_baseline() -> None:
    """Where the alternatives are three offers, thirty times apart, one drawn for each request."""
    spent = {policy: outcome(2.0, policy).spend_usd for policy in POLICIES}
    assert min(spent, key=lambda policy: spent[policy]) == "bid-price"


def test_never_spill_buys_nothing_and_pays_for_it_by_missing() -> None:
    stubborn = outcome(2.0, "never-spill")
    assert stubborn.paid_usd == 0
    assert stubborn.spilled_share == 0
    assert (stubborn.slo_attainment or 0) < 0.9
    assert stubborn.missed_usd > 0.1 * stubborn.buy_all_usd


def test_a_threshold_buys_at_once() -> None:
    hasty = outcome(2.0, "fixed-threshold")
    assert hasty.reasons[Reason.SPILL_PRICE] > 100
    assert (hasty.ttft_bought_p50_ms or 0) == pytest.approx(600, rel=0.02)


def test_pinned_requests_stay_and_are_served() -> None:
    pinned = outcome(2.0, pinned_share=0.3)
    assert pinned.pinned_bought == 0
    assert (pinned.slo_attainment or 0) > 0.9


def test_the_batch_lane_ends_by_its_deadline_and_has_no_ttft() -> None:
    mixed = run(0.5, batch_share=0.3)
    batch = sum(
        request.deadline_s is not None for request in workload(0.5, batch_share=0.3).requests
    )
    assert batch > 0
    assert mixed.missed == 0
    assert mixed.ttft_local.count + mixed.ttft_bought.count == mixed.requests - batch


def test_a_stream_gives_the_same_run_as_a_workload() -> None:
    whole = workload(1.5)

    def stream() -> Iterator[Request]:
        yield from whole.requests

    streamed = simulate_stream(
        stream(),
        [SimPool(MODEL, PROFILE, REPLICAS)],
        offers=whole.offers,
        duration_s=whole.duration_s,
        block_tokens=whole.block_tokens,
    )
    same = simulate(whole, PROFILE, replicas=REPLICAS)
    assert (streamed.paid_nano, streamed.met) == (same.paid_nano, same.met)
    assert streamed.reasons == same.reasons


def test_requests_must_come_by_time() -> None:
    whole = workload(1.5)
    with pytest.raises(ValueError, match="before the request ahead"):
        simulate(replace(whole, requests=whole.requests[::-1]), PROFILE, replicas=1)


def test_progress_goes_to_the_end_and_the_series_shows_the_run() -> None:
    heard: list[float] = []
    busy = run(2.0, on_progress=heard.append)
    assert heard == sorted(heard)
    assert heard[0] == 0.0
    assert heard[-1] > 0.95
    rows = busy.series.rows()
    assert [row["at_s"] for row in rows] == [float(second) for second in range(len(rows))]
    assert max(row["bid_price"] for row in rows) > 0
    assert max(row["queue_requests"] for row in rows) > 0
    assert 0 < max(row["kv_share"] for row in rows) <= 1
    assert 0 < max(row["running_share"] for row in rows) <= 1


def test_a_replica_that_dies_loses_no_request() -> None:
    faults = Faults(deaths=(Death(0, 20.0, back_after_s=10.0), Death(1, 25.0)))
    broken = run(0.8, faults=faults)
    assert ended(broken) == broken.requests
    assert broken.given_up == 0
    assert broken.broken_off > 0
    assert broken.retries > 0
    assert broken.reasons[Reason.RETRY] > 0
    assert broken.bought > 0


def test_a_purchase_that_fails_is_tried_elsewhere_and_not_paid() -> None:
    failing = run(2.0, faults=Faults(offer_failure_share=1.0))
    assert failing.bought == failing.paid_nano == 0
    assert failing.retries > 0
    assert ended(failing) == failing.requests


class DispatchesTwice(Scheduler):
    def on_arrival(self, arrival: Arrival, now: float) -> list[Action]:
        actions = super().on_arrival(arrival, now)
        return [*actions, *(each for each in actions if isinstance(each, Dispatch))]


class KnowsNoReplica(Scheduler):
    def on_arrival(self, arrival: Arrival, now: float) -> list[Action]:
        return [Dispatch(arrival.request_id, Target(TargetKind.LOCAL, "nobody"), Reason.LOCAL_FIT)]


@pytest.mark.parametrize("scheduler", [DispatchesTwice, KnowsNoReplica])
def test_a_scheduler_that_breaks_its_contract_ends_the_run(
    scheduler: type[Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.simulation.simulator.Scheduler", scheduler)
    with pytest.raises(BrokenContract):
        run(0.5)


def test_a_policy_of_ones_own_goes_by_its_class() -> None:
    class Mine:
        pass

    assert policy_name(None) == "bid-price"
    assert policy_name(Mine()) == "Mine"  # type: ignore[arg-type]


def test_what_never_ends_is_given_up_and_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.simulation.simulator.DRAIN_S_MAX", 0.0)
    cut = run(2.0)
    assert cut.given_up > 0
    assert cut.missed >= cut.given_up
    assert ended(cut) == cut.requests


def test_a_warm_up_is_played_but_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "perf_counter_ns", partial(next, count()))  # counts the calls
    told = workload(0.5)
    middle_s = told.duration_s / 2
    later = [request for request in told.requests if request.at_s >= middle_s]
    counted = simulate(told, PROFILE, replicas=REPLICAS, warm_up_s=middle_s)
    assert 0 < counted.requests == len(later) < len(told.requests)
    assert counted.buy_all_nano == sum(counted.charge_nano(request) for request in later)
    assert 0 < counted.busy_s <= REPLICAS * (told.duration_s - middle_s)
    assert counted.prompt_tokens <= sum(request.prompt_tokens for request in told.requests)
    whole = simulate(told, PROFILE, replicas=REPLICAS)
    assert counted.busy_s < whole.busy_s
    assert 0 < counted.scheduler_ns < whole.scheduler_ns
