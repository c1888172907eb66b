"""Several pools, and requests that more than one of them may answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.simulation.clairvoyant_bound import lp_bound, pools_bound
from benchmarks.simulation.gateway import BrokenContract
from benchmarks.simulation.offers import make_offer
from benchmarks.simulation.outcome import outcome_of
from benchmarks.simulation.pools import MODEL, SimPool
from benchmarks.simulation.run_counters import Run, charge_nano, cost_nano
from benchmarks.simulation.simulator import simulate_pools
from benchmarks.simulation.workload import Request, Workload
from scheduler.arrival import Arrival
from scheduler.decision import Action, Dispatch, Reason
from scheduler.routing.rule import Candidate, Choose, Rule, Substitute, named
from scheduler.state_machine import Scheduler
from scheduler.target import Target, TargetKind
from tests.benchmarks.simulation.best_schedule import PROFILE as TINY
from tests.benchmarks.simulation.example_profile import PROFILE

CHEAP, DEAR = "cheap", "dear"
ONE_SLOT = replace(PROFILE, running_max=1)
OFFERS = tuple(
    replace(make_offer(usd, offer_id=usd), model=m) for usd, m in (("1", CHEAP), ("9", DEAR))
)
IDS = tuple(offer.offer_id for offer in OFFERS)


def joined(*candidates: Candidate, choose: Choose = Choose.IN_ORDER) -> Rule:
    return Rule("joined", frozenset(), candidates, choose)


CHEAP_FIRST = joined(Candidate(CHEAP), Candidate(DEAR))


def asking(rule: Rule, count: int, every_s: float = 0.001) -> Workload:
    requests = tuple(
        Request(f"r{n}", n * every_s, 100, 200, 256, 2_000, (), IDS, rule=rule)
        for n in range(count)
    )
    return Workload(requests, OFFERS, 1, 10.0)


def played(workload: Workload, *, dear: int = 1) -> Run:
    pools = [SimPool(CHEAP, ONE_SLOT, 1)]
    return simulate_pools(workload, pools + [SimPool(DEAR, ONE_SLOT, dear)] * bool(dear))


def test_the_second_pool_answers_what_the_first_has_no_room_for_and_then_the_offers() -> None:
    run = played(asking(CHEAP_FIRST, 4))
    cheap, dear = run.by_model[CHEAP], run.by_model[DEAR]
    assert (cheap.asked, cheap.answered, dear.answered) == (4, 1, 1)
    assert (cheap.substituted, dear.substituted) == (0, 1)
    assert (cheap.bought, dear.bought) == (2, 0)  # in order: the first model is bought
    assert cheap.paid_nano == run.paid_nano
    assert run.reasons["substitute"] == 1


def test_a_named_model_is_not_replaced_and_one_for_failures_does_not_help_out() -> None:
    spare = joined(Candidate(CHEAP), Candidate(DEAR, Substitute.FAILURE))
    for rule in (named(CHEAP), spare):
        run = played(asking(rule, 4))
        assert (run.by_model[CHEAP].answered, run.by_model[DEAR].answered) == (1, 0)


def test_the_cheapest_is_bought_of_a_rule_that_looks_at_the_cost() -> None:
    models = Candidate(DEAR), Candidate(CHEAP)
    for choose, bought in ((Choose.IN_ORDER, DEAR), (Choose.CHEAPEST, CHEAP)):
        workload = asking(joined(*models, choose=choose), 6)
        run = played(workload)
        assert run.by_model[bought].paid_nano == run.paid_nano > 0
        offer = next(offer for offer in OFFERS if offer.model == bought)
        one = workload.requests[0]
        assert charge_nano(one, run.offers) == cost_nano(offer, one)


def test_a_model_without_a_pool_is_bought_alone() -> None:
    run = played(asking(joined(Candidate(DEAR), Candidate(CHEAP)), 2), dear=0)
    assert run.by_model[DEAR].bought == 2


class KnowsOneReplica(Scheduler):
    def on_arrival(self, arrival: Arrival, now: float) -> list[Action]:
        target = Target(TargetKind.LOCAL, "replica-0")
        return [Dispatch(arrival.request_id, target, Reason.LOCAL_FIT)]


def test_a_replica_of_a_model_that_may_not_answer_breaks_the_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.simulation.simulator.Scheduler", KnowsOneReplica)
    with pytest.raises(BrokenContract, match="may not answer"):
        played(asking(named(DEAR), 1))


def test_the_bound_over_two_pools_is_below_that_of_each_and_below_what_is_spent() -> None:
    pools = [SimPool(CHEAP, ONE_SLOT, 1), SimPool(DEAR, ONE_SLOT, 1)]
    workload = asking(CHEAP_FIRST, 12, every_s=0.05)
    both = pools_bound(workload, pools).usd
    alone = pools_bound(workload, pools[:1]).usd
    spent = outcome_of(simulate_pools(workload, pools)).spend_usd
    assert both is not None
    assert alone is not None
    assert 0 <= both < alone
    assert both <= spent + 1e-12


def test_a_second_pool_that_nobody_may_use_changes_no_bound() -> None:
    requests = tuple(Request(f"r{n}", n * 0.01, 100, 40, 64, 500, (), IDS[:1]) for n in range(8))
    workload = Workload(requests, (replace(OFFERS[0], model=MODEL),), 1, 1.0)
    one = lp_bound(workload, TINY, 1)
    two = pools_bound(workload, [SimPool(MODEL, TINY, 1), SimPool(DEAR, TINY, 3)])
    assert two.usd == pytest.approx(one.usd)
