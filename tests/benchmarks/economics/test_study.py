from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from benchmarks.economics.breakeven import BreakEvenVerdict
from benchmarks.economics.demand import flat
from benchmarks.economics.format_figures import percent
from benchmarks.economics.input_checks import BadInput
from benchmarks.economics.study import (
    APIS_MAX,
    hybrid_in_words,
    in_words,
    question_in_words,
    study,
)
from benchmarks.economics.study_json import document
from tests.benchmarks.economics.example import api, cluster, question


def test_each_api_has_its_answer() -> None:
    asked = question(api("0.28", "0.42"), api("1.25", "10"), api("0.01", "0.02"))
    found = study(asked)
    assert [answer.break_even.verdict for answer in found.answers] == [
        BreakEvenVerdict.BREAKS_EVEN,
        BreakEvenVerdict.BREAKS_EVEN,
        BreakEvenVerdict.NEVER,
    ]
    for answer in found.answers:
        least = min(answer.bought.nano, answer.local.nano)
        assert answer.hybrid.nano <= least


def test_the_document_has_the_first_answer_at_the_top() -> None:
    found = document(study(question(api("0.28", "0.42"), api("0.01", "0.02"), demand=flat())))
    told = json.loads(json.dumps(found))
    assert told["verdict"] == "breaks_even"
    assert told["break_even_utilization"] == pytest.approx(0.5288, rel=1e-3)
    assert told["break_even_mtok_per_month"] == pytest.approx(95_347, rel=1e-5)
    assert [each["verdict"] for each in told["apis"]] == ["breaks_even", "never"]
    assert told["apis"][1]["break_even_mtok_per_month"] is None
    assert told["inputs"]["cards"] == 64
    low, high = told["bands"]["break_even_utilization"]
    assert low < told["break_even_utilization"] < high
    bills = told["monthly_bills"]
    assert bills["all_local"]["usd"] == 93_440
    assert bills["hybrid"]["usd"] <= min(bills["all_api"]["usd"], bills["all_local"]["usd"])
    assert told["price"]["cached_input_usd_per_mtok"] is None


def test_words_say_what_would_have_to_be_true() -> None:
    never = question(api("0.01", "0.02"))
    words = in_words(never, study(never).answers[0])
    assert words.startswith("Never cheaper than given 0.01/0.02")
    assert "at most $0.154" in words  # 0.0036 * 1072 * 0.04
    assert "own no cards" in hybrid_in_words(study(never).answers[0])
    plain, helped = question(demand=flat()), question(demand=flat(), own=cluster(fixed_usd=10_000))
    assert "at 53 % utilization" in in_words(plain, study(plain).answers[0])
    found = study(helped).answers[0]
    meet = found.break_even.bills_meet_mtok / found.break_even.capacity_mtok
    assert f"at {percent(meet)} utilization" in in_words(helped, found)
    assert meet > found.break_even.utilization
    staffed = question(own=cluster(fixed_usd=100_000))
    assert in_words(staffed, study(staffed).answers[0]).startswith("Not with this demand")


def test_words_count_cards() -> None:
    one = question(own=cluster(cards=1, per_replica=1))
    assert "on 1 card," in in_words(one, study(one).answers[0])
    assert "demand day" in question_in_words(one)
    assert "buy nothing" in hybrid_in_words(study(question(demand=flat())).answers[0])


def test_the_apis_are_few_and_different() -> None:
    many = tuple(api("1", str(n + 1)) for n in range(APIS_MAX + 1))
    with pytest.raises(BadInput, match="1 to 8 APIs"):
        question(*many)
    with pytest.raises(BadInput, match="stands twice"):
        question(api("1", "2"), api("1", "2"))
    with pytest.raises(BadInput, match="1 to 8 APIs"):
        replace(question(), prices=())


def test_the_demand_keeps_its_volume() -> None:
    small = replace(question(), demand=flat().scaled(Decimal(10)))
    answer = study(small).answers[0]
    assert answer.bought.nano == 9_800_000_000
    assert answer.hybrid == answer.bought
