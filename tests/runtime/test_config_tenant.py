"""The section of a tenant: what it makes of requests, and contradictions that it may not have."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config import GatewayConfig, load_config
from runtime.errors import ConfigError
from runtime.targets.build_compliance_matrix import traits_of
from runtime.wire.tag_terms import NO_TERMS, TagTerms
from runtime.wire.tags import CostTier, Sensitivity, Tags
from scheduler.compliance.request_traits import Protection, Traits


def config(**terms: Any) -> GatewayConfig:
    return load_config({"tenants": {"acme": {"key_sha256": ["0" * 64], **terms}}})


def test_a_tenant_without_terms_has_those_of_nobody() -> None:
    assert config().tag_terms("acme") == NO_TERMS
    assert config(home="cn").tag_terms("nobody") == NO_TERMS


def test_every_key_reaches_the_terms() -> None:
    defaults = {
        "feature": "chat/help",
        "task": "summary",
        "locale": "zh-Hans-CN",
        "sensitivity": "pii",
        "latency_budget_ms": 900,
        "cost_tier": "premium",
    }
    terms = config(
        defaults=defaults,
        required=["region", "deadline"],
        is_edge=True,
        sensitivity_floor="internal",
    ).tag_terms("acme")
    assert terms == TagTerms(
        Tags(
            feature="chat/help",
            task="summary",
            locale="zh-Hans-CN",
            sensitivity=Sensitivity.PII,
            latency_budget_ms=900,
            cost_tier=CostTier.PREMIUM,
        ),
        frozenset({"region", "deadline"}),
        Sensitivity.INTERNAL,
        None,
        True,
    )
    assert config(home="sg").tag_terms("acme").home == "sg"


def test_the_default_sensitivity_is_the_floor_where_none_is_stated() -> None:
    assert config(defaults={"sensitivity": "pii"}).tag_terms("acme").floor is Sensitivity.PII
    assert config(sensitivity_floor="regulated").tag_terms("acme").floor is Sensitivity.REGULATED
    assert config().tag_terms("acme").floor is Sensitivity.PUBLIC


@pytest.mark.parametrize(
    ("floor", "counts"),
    [("public", "internal"), ("internal", "internal"), ("pii", "pii"), ("regulated", "regulated")],
)
def test_what_is_said_by_nobody_is_no_less_than_the_floor(floor: str, counts: str) -> None:
    terms = config(sensitivity_floor=floor).tag_terms("acme")
    assert terms.defaults.sensitivity == terms.said([], "").sensitivity == counts


def test_where_the_user_is_follows_from_the_key_alone_or_from_an_edge_alone() -> None:
    said = Tags(region="sg", sensitivity=Sensitivity.PII)
    home = config(home="cn", data_classes=["phi"])
    assert traits_of(home, "acme", said) == Traits("cn", Protection.PII, frozenset({"phi"}))
    assert traits_of(config(), "acme", said).user_in is None
    assert traits_of(config(), "nobody", said).user_in is None
    edge = config(is_edge=True)
    assert traits_of(edge, "acme", said).user_in == "sg"
    assert traits_of(edge, "acme", Tags()).user_in is None


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"required": ["task"], "defaults": {"task": "summary"}}, "required: task has a default"),
        ({"required": ["region"]}, "required: region may only be said where is_edge"),
        ({"required": ["region"], "home": "cn"}, "required: region may only be said"),
        ({"is_edge": True, "home": "cn"}, "home: an edge says where each user is"),
        (
            {"sensitivity_floor": "pii", "defaults": {"sensitivity": "internal"}},
            "sensitivity_floor: is above the default, internal",
        ),
        ({"required": ["tenant"]}, r"required\[0\]: expected 'feature', 'task'"),
        ({"required": ["taks"]}, "did you mean task"),
        ({"defaults": {"region": "cn"}}, "region: is not known here"),
        ({"defaults": {"deadline": "2030-01-01T00:00:00Z"}}, "deadline: is not known here"),
        ({"defaults": {"task": "two words"}}, "defaults.task: expected 1 to 64 of"),
        ({"defaults": {"locale": "zh_CN"}}, "defaults.locale: expected a language tag"),
        ({"defaults": {"sensitivity": "secret"}}, "sensitivity: expected 'public'"),
        ({"defaults": {"latency_budget_ms": 0}}, "at least 1"),
        ({"home": "uk"}, "home: expected a country of ISO 3166"),
        ({"home": "CN"}, "home: expected a country"),
        ({"home": "xx"}, "home: expected a country"),
        ({"home": "eu"}, "home: expected a country"),
    ],
)
def test_what_contradicts_itself_or_is_not_is_refused(terms: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        config(**terms)
    assert "tenants.acme." in caught.value.message


def test_all_contradictions_come_together() -> None:
    defaults = {"task": "a", "feature": "b"}
    with pytest.raises(ConfigError) as caught:
        config(required=["task", "feature"], defaults=defaults, is_edge=True, home="cn")
    for path in ("required: feature", "required: task", "home: an edge"):
        assert f"tenants.acme.{path}" in caught.value.message


def test_a_floor_as_high_as_the_default_is_no_contradiction() -> None:
    terms = {"sensitivity_floor": "pii", "defaults": {"sensitivity": "pii"}}
    assert config(**terms).tag_terms("acme").floor is Sensitivity.PII


def test_a_class_of_data_is_the_same_however_it_is_written() -> None:
    """Else a slip would free it of the rules that ask about it."""
    tenant = {"key_sha256": ["a" * 64], "data_classes": ["PHI", "phi"]}
    config = load_config({"tenants": {"acme": tenant}})
    assert config.tenants["acme"].data_classes == {"phi"}
