from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BadRequest, UnknownField
from runtime.wire.tags import CostTier, Sensitivity, Tags, parse_tags


def test_every_tag_is_read_and_other_headers_are_not() -> None:
    tags = parse_tags(
        [
            ("Host", "x"),
            ("X-Baseload-Feature", "search/rank"),
            ("x-baseload-task", "summary"),
            ("X-Baseload-Locale", "zh-Hans-CN"),
            ("X-Baseload-Sensitivity", "pii"),
            ("X-Baseload-Region", "cn"),
            ("X-Baseload-Latency-Budget-Ms", " 250 "),
            ("X-Baseload-Cost-Tier", "economy"),
            ("X-Baseload-Deadline", "2030-01-31T18:00:00+08:00"),
        ]
    )
    assert tags == Tags(
        feature="search/rank",
        task="summary",
        locale="zh-Hans-CN",
        sensitivity=Sensitivity.PII,
        region="cn",
        latency_budget_ms=250,
        cost_tier=CostTier.ECONOMY,
        deadline=datetime(2030, 1, 31, 10, tzinfo=UTC),
    )


def test_what_is_not_said_comes_from_the_defaults() -> None:
    defaults = Tags(feature="chat", sensitivity=Sensitivity.REGULATED)
    assert parse_tags([]) == Tags()
    assert parse_tags([], defaults=defaults) == defaults
    tags = parse_tags([("x-baseload-feature", "rank")], defaults=defaults)
    assert tags == Tags(feature="rank", sensitivity=Sensitivity.REGULATED)


@pytest.mark.parametrize(
    "name", ["x-baseload-tenant", "X-Baseload-Sensitvity", "x-baseload-", "x-baseload-cost_tier"]
)
def test_an_unknown_header_is_named(name: str) -> None:
    with pytest.raises(UnknownField) as caught:
        parse_tags([(name, "public")])
    assert caught.value.param == name.lower()
    assert "x-baseload-sensitivity" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature", ""),
        ("feature", "a b"),
        ("feature", "ä"),
        ("feature", "a" * 65),
        ("feature", "a" * 10_000),
        ("task", "a\nb"),
        ("task", "-a"),
        ("locale", "zh_CN"),
        ("sensitivity", "secret"),
        ("sensitivity", "PII"),
        ("region", "CN"),
        ("latency-budget-ms", "0"),
        ("latency-budget-ms", "3600001"),
        ("latency-budget-ms", "1e3"),
        ("latency-budget-ms", "-5"),
        ("latency-budget-ms", "²"),
        ("cost-tier", "free"),
        ("deadline", "2030-01-31T18:00:00"),
        ("deadline", "tomorrow"),
        ("deadline", "0001-01-01T00:00:00+23:00"),
    ],
)
def test_bad_values_are_refused_and_not_quoted(name: str, value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_tags([(f"X-Baseload-{name}", value)])
    assert caught.value.param == f"x-baseload-{name}"
    assert len(caught.value.message) < 200


def test_a_header_sent_twice_is_refused() -> None:
    with pytest.raises(BadRequest, match="twice"):
        parse_tags([("x-baseload-task", "a"), ("X-Baseload-Task", "a")])


def test_a_required_header_is_named_when_missing() -> None:
    required = frozenset({"cost_tier"})
    with pytest.raises(BadRequest, match="x-baseload-cost-tier"):
        parse_tags([], required=required, defaults=Tags(feature="a"))
    assert parse_tags([("x-baseload-cost-tier", "premium")], required=required)


@given(st.sampled_from(["feature", "locale", "deadline", "latency-budget-ms", "region"]), st.text())
def test_any_value_is_read_or_refused(name: str, value: str) -> None:
    with suppress(BadRequest):
        parse_tags([(f"x-baseload-{name}", value)])
