"""What a request may be bought from: said in words, drawn or any, and warned of if too late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.simulation.alternatives import alternatives_in_words, warnings
from benchmarks.simulation.clairvoyant_bound import pools_bound
from benchmarks.simulation.experiment import BadExperiment, Experiment, Prepared, prepare
from benchmarks.simulation.offers import DEFAULT_OFFERS, SimOffer, make_offer
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.sweep import run

SMALL = Experiment(requests=300, replicas=1, load=2.0)
CHEAP_IN = make_offer("4", "0.1", offer_id="cheap-in")
CHEAP_OUT = make_offer("1", "0.4", offer_id="cheap-out")
BOTH = (CHEAP_IN, CHEAP_OUT)


def prepared(*offers: SimOffer, **choices: object) -> Prepared:
    return prepare(replace(SMALL, offers=offers, **choices))  # type: ignore[arg-type]


def outcome(ready: Prepared, policy: str = "bid-price") -> Outcome:
    return run(replace(ready, experiment=replace(ready.experiment, policy=policy))).outcome


def test_the_default_offers_are_drawn_and_said_to_be() -> None:
    experiment = prepare(SMALL).experiment
    assert experiment.alternatives == "drawn"
    assert alternatives_in_words(experiment) == (
        "3 offers, 30 times apart; each request may be bought from one of them only, which is "
        "drawn at random for it"
    )


def test_offers_of_ones_own_are_open_to_every_request() -> None:
    ready = prepared(*BOTH)
    assert ready.experiment.alternatives == "any"
    assert {request.offer_ids for request in ready.workload.requests} == {("cheap-in", "cheap-out")}
    assert alternatives_in_words(ready.experiment) == (
        "2 offers, 4 times apart; each request may be bought from any of them"
    )


def test_one_offer_is_the_one_alternative_of_every_request() -> None:
    ready = prepared(CHEAP_OUT)
    assert {request.offer_ids for request in ready.workload.requests} == {("cheap-out",)}
    assert alternatives_in_words(ready.experiment) == (
        "one offer, from which each request may be bought"
    )


def test_offers_as_dear_as_each_other_or_for_nothing_have_no_spread() -> None:
    same = make_offer("1", "0.4", offer_id="same")
    for other in (same, make_offer("0", offer_id="free")):
        words = alternatives_in_words(prepared(CHEAP_OUT, other).experiment)
        assert words == "2 offers; each request may be bought from any of them"


def test_a_choice_that_is_none_is_refused() -> None:
    with pytest.raises(BadExperiment, match="use any or drawn"):
        prepared(*BOTH, alternatives="some")


def test_each_request_is_bought_where_it_is_cheapest_for_it() -> None:
    ready = prepared(*BOTH)
    costs = [
        [offer.price.cost_nano(r.prompt_tokens, 0, r.output_tokens) for offer in BOTH]
        for r in ready.workload.requests
    ]
    assert any(a < b for a, b in costs)
    assert any(a > b for a, b in costs)
    free, alone = outcome(ready), [outcome(prepared(offer)) for offer in BOTH]
    assert free.buy_all_usd == pytest.approx(sum(map(min, costs)) / 1e9)
    assert free.buy_all_usd < min(each.buy_all_usd for each in alone)
    assert free.spend_usd < min(each.spend_usd for each in alone)
    assert pools_bound(ready.workload, ready.pools).buy_all_usd == pytest.approx(free.buy_all_usd)


def test_drawn_among_ones_own_is_another_workload() -> None:
    drawn = prepared(*BOTH, alternatives="drawn")
    assert {request.offer_ids for request in drawn.workload.requests} == {
        ("cheap-in",),
        ("cheap-out",),
    }
    assert outcome(drawn).buy_all_usd > outcome(prepared(*BOTH)).buy_all_usd


def test_a_budget_below_every_offers_own_first_token_is_warned_of() -> None:
    slow = replace(CHEAP_IN, ttft_ms=700)
    (warning,) = warnings(replace(SMALL, offers=(CHEAP_OUT, slow), ttft_ms=500))
    for part in (
        "no offer answers within the TTFT budget of 500 ms",
        "takes 600 ms",
        "--ttft-ms 600",
    ):
        assert part in warning
    (warning,) = warnings(replace(SMALL, offers=(CHEAP_OUT, slow), ttft_ms=600))
    assert warning.startswith("cheap-in: first token later than the TTFT budget of 600 ms")
    assert warnings(replace(SMALL, offers=(CHEAP_OUT, slow), ttft_ms=700)) == []
    assert warnings(Experiment()) == []


def test_what_is_warned_of_is_so() -> None:
    """Bought all the same, and late: the share in time falls short by all that was bought."""
    late = outcome(prepared(*DEFAULT_OFFERS, ttft_ms=500))
    assert (late.spilled_share or 0) > 0.1
    assert (late.slo_attainment or 0) <= 1 - (late.spilled_share or 0)
