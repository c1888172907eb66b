"""Pools, rules and offers of an experiment: as they are written, made whole, and played."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.simulation.experiment import BadExperiment, Experiment, prepare
from benchmarks.simulation.offer_text import parse_offer
from benchmarks.simulation.pool_choices import rule_in_words
from benchmarks.simulation.pool_text import parse_pool, parse_rule
from benchmarks.simulation.pools import PoolChoice
from benchmarks.simulation.report import report
from benchmarks.simulation.sweep import sweep
from scheduler.routing.rule import Candidate, Choose, Needs, Rule, Substitute, named
from tests.benchmarks.pages.html_page import Page

POOLS = (parse_pool("small,replicas=1"), parse_pool("large,replicas=2"))
OFFERS = (parse_offer("out=0.42,model=small"), parse_offer("out=2.30,model=large"))
RULES = (parse_rule("small+large,choose=cheapest,share=3"), parse_rule("large"))
JOINED = Experiment(requests=600, load=2.0, pools=POOLS, offers=OFFERS, rules=RULES)


def test_a_pool_and_a_rule_are_read_as_they_are_written() -> None:
    assert parse_pool(" small , replicas=2, profile=h200 ") == PoolChoice("small", 2, "h200")
    assert parse_pool("a/b-7") == PoolChoice("a/b-7")
    read = parse_rule("small+large,choose=cheapest,share=0.5")
    assert (read.rule.choose, read.models, read.share) == (
        Choose.CHEAPEST,
        ("small", "large"),
        0.5,
    )
    assert parse_rule("small").rule == named("small")


def test_a_known_rule_keeps_who_stands_in_when_and_loses_what_is_not_simulated() -> None:
    models = Candidate("small", quality_floor=0.9), Candidate("large", Substitute.FAILURE)
    known = Rule("sum", frozenset({"t"}), models, Choose.CHEAPEST, 0.8, 5, Needs(tools=True))
    read = parse_rule("sum,share=2", {"sum": known})
    assert read.share == 2
    assert read.rule == Rule(
        "sum",
        frozenset(),
        (Candidate("small"), Candidate("large", Substitute.FAILURE)),
        Choose.CHEAPEST,
    )
    with pytest.raises(BadExperiment, match="the rule itself says"):
        parse_rule("sum,choose=cheapest", {"sum": known})


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (parse_pool, "replicas=2", "begins with a model"),
        (parse_pool, "", "begins with a model"),
        (parse_pool, "small,replicas=two", "no number of replicas"),
        (parse_pool, "small,cards=2", "what may stand here is replicas, profile"),
        (parse_pool, "small,replicas=2,replicas=3", "stands twice"),
        (parse_pool, "s" * 500, "longer than"),
        (parse_rule, "small+small", "different models"),
        (parse_rule, "small+", "different models"),
        (parse_rule, "small,choose=best_value", "choose is one of in_order, cheapest"),
        (parse_rule, "small,share=0", "share must be above 0"),
        (parse_rule, "small,share=much", "could not convert"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(read: Any, text: str, says: str) -> None:
    with pytest.raises(BadExperiment, match=says) as refused:
        read(text)
    assert "write it as in small" in str(refused.value)


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"pools": (parse_pool("small"), parse_pool("small"))}, "two pools serve small"),
        ({"pools": (parse_pool("small,replicas=0"),)}, "small: replicas must be 1 to"),
        ({"rules": (parse_rule("small+tiny"),)}, r"has tiny: known are \['large', 'small'\]"),
        ({"pools": ()}, "a rule needs pools"),
        ({"offers": (parse_offer("out=1"),)}, "which model it sells"),
        (
            {"pools": POOLS[:1], "rules": (parse_rule("large"),)},
            "no request may be answered by a pool",
        ),
        ({"pools": (parse_pool("small,profile=abacus"),), "rules": ()}, "known profiles: h200"),
    ],
)
def test_what_cannot_be_run_is_refused(choices: dict[str, Any], says: str) -> None:
    with pytest.raises(BadExperiment, match=says):
        prepare(replace(JOINED, **choices))


def test_best_value_is_refused_for_want_of_quality() -> None:
    known = Rule("best", frozenset(), (Candidate("small"),), Choose.BEST_VALUE)
    with pytest.raises(BadExperiment, match="best_value needs quality"):
        prepare(replace(JOINED, rules=(parse_rule("best", {"best": known}),)))


def test_what_is_open_is_settled_by_the_rest() -> None:
    open_ = replace(JOINED, pools=(parse_pool("small"),), offers=(parse_offer("out=1"),), rules=())
    settled = prepare(replace(open_, replicas=3)).experiment
    assert settled.pools == (PoolChoice("small", 3, "h200"),)
    assert [offer.model for offer in settled.offers] == ["small"]
    assert [each.rule for each in settled.rules] == [named("small")]
    any_ = prepare(replace(JOINED, rules=())).experiment
    assert [each.models for each in any_.rules] == [("small", "large")]
    assert any_.alternatives == "any"


def test_requests_follow_rules_by_their_shares_and_the_load_is_over_all_pools() -> None:
    ready = prepare(replace(JOINED, requests=4_000))
    requests = ready.workload.requests
    following = [each for each in requests if each.rule.name]
    assert len(following) / len(requests) == pytest.approx(0.75, abs=0.03)
    assert {each.offer_ids for each in following} == {("out-0.42", "out-2.30")}
    assert {each.offer_ids for each in requests if not each.rule.name} == {("out-2.30",)}
    assert ready.workload.load_of(ready.pools) == pytest.approx(2.0, rel=0.01)
    again = prepare(replace(JOINED, requests=4_000, seed=2)).workload.requests
    assert [each.rule for each in again] != [each.rule for each in requests]


def test_a_sweep_over_pools_has_one_bound_and_says_what_became_of_each_model() -> None:
    bid, first = sweep(JOINED, policies=["bid-price", "first-come"])
    assert bid.outcome.bound_usd == first.outcome.bound_usd
    assert 0 < (bid.outcome.bound_usd or 0) <= bid.outcome.spend_usd <= first.outcome.spend_usd
    told: Any = bid.as_json()
    models = told["models"]
    assert sum(each["asked"] for each in models.values()) == 600
    assert models["small"]["substituted"] + models["large"]["substituted"] > 0
    assert sum(each["paid_usd"] for each in models.values()) == pytest.approx(told["spend_usd"])
    assert told["experiment"]["pools"][1] == {"model": "large", "replicas": 2, "profile": "h200"}
    assert told["experiment"]["rules"][0]["choose"] == "cheapest"
    assert told["experiment"]["offers"][0]["model"] == "small"
    text = Page(report([bid, first], {})).text
    assert "3 replicas of profile h200" in text
    assert "small: 1 of profile h200; large: 2 of profile h200" in text
    assert "75% follow small+large: small, large (overload), the cheapest first" in text


def test_a_run_with_one_pool_is_told_as_before() -> None:
    plain: Any = sweep(Experiment(requests=60, replicas=1), with_bound=False)[0].as_json()
    assert "models" not in plain
    assert not {"pools", "rules"} & set(plain["experiment"])
    assert "model" not in plain["experiment"]["offers"][0]


def test_a_rule_is_said_in_words() -> None:
    rules = (parse_rule("a+b,share=1"), parse_rule("b,share=3"))
    assert rule_in_words(rules[0], rules) == "25% follow a+b: a, b (overload), in this order"
    assert rule_in_words(rules[1], rules) == "75% ask for b by its name"
