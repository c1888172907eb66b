from __future__ import annotations

import json

import pytest

from benchmarks.simulation.offers import DEFAULT_OFFERS
from benchmarks.simulation.outcome import outcome_of, regret
from benchmarks.simulation.pools import MODEL, SimPool
from benchmarks.simulation.run_counters import Passage, Run
from benchmarks.simulation.workload import Request
from scheduler.arrival import Arrival
from tests.benchmarks.simulation.example_profile import PROFILE

CHEAP, MIDDLE, DEAR = DEFAULT_OFFERS
COST_NANO = {offer.offer_id: offer.price.cost_nano(1_000, 0, 100) for offer in DEFAULT_OFFERS}
DEMANDED = [
    *("spend_usd", "bound_usd", "buy_all_usd", "regret", "spend_over_bound"),
    *(
        "slo_attainment",
        "goodput",
        "local_utilization",
        "spilled_share",
        "held_p99_ms",
        "decisions_per_s",
    ),
    *("cpu_us_per_decision", "seed"),
]


def new_run() -> Run:
    offers = {offer.offer_id: offer for offer in DEFAULT_OFFERS}
    return Run(
        (SimPool(MODEL, PROFILE, 2),), "p", "told", 7, duration_s=10.0, load=None, offers=offers
    )


def passage(run: Run, offer_id: str | None, deadline_s: float | None = None) -> Passage:
    request = Request(
        "r",
        5.0,
        1_000,
        100,
        200,
        2_000,
        (),
        () if offer_id is None else (offer_id,),
        deadline_s=deadline_s,
    )
    run.on_arrival(request)
    return Passage(request, Arrival("r", "t", "m", 1_000, 100, 200, 2_000))


def test_who_is_answered_in_time_costs_what_was_paid_and_nothing_else() -> None:
    run = new_run()
    for offer_id, paid in ((CHEAP.offer_id, None), (DEAR.offer_id, COST_NANO[DEAR.offer_id])):
        each = passage(run, offer_id)
        each.first_token_s, each.paid_nano = 7.0, paid
        run.paid_nano += paid or 0
        run.on_answered(each, 20.0)
    outcome = outcome_of(run)
    assert outcome.slo_attainment == 1.0
    assert outcome.spend_usd == outcome.paid_usd == pytest.approx(COST_NANO[DEAR.offer_id] / 1e9)
    assert outcome.spilled_share == 0.5
    assert outcome.goodput == pytest.approx(2 / 10)
    assert outcome.ttft_local_p50_ms == pytest.approx(2_000, rel=0.01)
    both_nano = COST_NANO[CHEAP.offer_id] + COST_NANO[DEAR.offer_id]
    assert outcome.buy_all_usd == pytest.approx(both_nano / 1e9)


def test_missing_saves_nothing() -> None:
    run = new_run()
    late = passage(run, MIDDLE.offer_id)
    late.first_token_s = 7.01
    run.on_answered(late, 8.0)
    run.on_missed(passage(run, None))  # pinned: as dear as the dearest
    bought_late = passage(run, CHEAP.offer_id)
    bought_late.first_token_s, bought_late.paid_nano = 7.5, COST_NANO[CHEAP.offer_id]
    run.paid_nano += COST_NANO[CHEAP.offer_id]
    run.on_answered(bought_late, 8.0)
    outcome = outcome_of(run)
    assert (outcome.missed, outcome.slo_attainment) == (3, 0.0)
    missed_nano = COST_NANO[MIDDLE.offer_id] + COST_NANO[DEAR.offer_id]
    assert outcome.missed_usd == pytest.approx(missed_nano / 1e9)
    assert outcome.spend_usd == pytest.approx(outcome.buy_all_usd)


def test_the_batch_lane_is_met_by_its_end_not_its_first_token() -> None:
    run = new_run()
    for end_s in (100.0, 100.1):
        each = passage(run, CHEAP.offer_id, deadline_s=100.0)
        each.first_token_s = 50.0
        run.on_answered(each, end_s)
    assert (run.met, run.missed) == (1, 1)
    assert run.ttft_local.count == 0


def test_regret_is_0_at_the_bound_and_1_when_all_is_bought() -> None:
    assert regret(2.0, 2.0, 10.0) == 0.0
    assert regret(10.0, 2.0, 10.0) == 1.0
    assert regret(6.0, 2.0, 10.0) == 0.5
    assert regret(6.0, None, 10.0) is None
    assert regret(1.0, 1.0, 1.0) is None


def test_spend_over_bound_is_what_regret_hides_where_all_is_dear() -> None:
    run = new_run()
    run.buy_all_nano, run.paid_nano = 100_000_000_000, 3_000_000_000
    outcome = outcome_of(run, 1.0)
    assert outcome.spend_over_bound == 3.0
    assert outcome.regret == pytest.approx(2 / 99)
    assert outcome_of(run, 0.0).spend_over_bound is None
    assert outcome_of(run).spend_over_bound is None


def test_the_json_has_what_is_demanded_even_of_an_empty_run() -> None:
    values = outcome_of(new_run()).as_json()
    assert list(values)[: len(DEMANDED)] == DEMANDED
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["slo_attainment"] is None
