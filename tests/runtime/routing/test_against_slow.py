"""Every combination of tags and configurations against an implementation that is obviously right.

Whatever a request says and whatever the rules are, its plan is the oracle's: who is asked, where,
in what order, and whether it is refused for the law's sake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config import load_config
from runtime.errors import BadRequest
from runtime.routing.apply_rules import Asked, routing_of
from runtime.wire.tags import Sensitivity
from scheduler.compliance.compliance_matrix import LOCAL, Matrix
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import TargetFacts
from scheduler.routing.quality_table import QualityTable
from scheduler.routing.routing_plan import Place
from scheduler.routing.rule import Needs
from tests.runtime.routing.slow import Answer, Request, Target, answer

TODAY = date(2026, 11, 30)
CHINA = {
    "storage_regions": ["cn"],
    "inference_jurisdictions": ["cn"],
    "operator_jurisdiction": "cn",
    "open_weights": True,
    "trains_on_data": False,
    "registrations": [{"jurisdiction": "cn", "number": "1", "model_name": "m"}],
    "contracts": [{"kind": "DPA", "reference": "1", "valid_until": "2027-01-01"}],
}
GERMANY = {
    "storage_regions": ["de"],
    "inference_jurisdictions": ["de"],
    "operator_jurisdiction": "de",
    "retention_days": 0,
    "trains_on_data": False,
    "contracts": [{"kind": "DPA", "reference": "1", "valid_until": "2027-01-01"}],
}
ABROAD = {"inference_jurisdictions": ["us", "sg"], "operator_jurisdiction": "us"}
VENDOR = {"base_url": "https://api.example.com/v1", "key_env": "KEY"}
PROVIDERS = {
    "cn": {**VENDOR, "facts": CHINA, "offers": {"good": "good", "cheap": "cheap"}},
    "us": {**VENDOR, "facts": ABROAD, "offers": {"good": "good", "english": "english"}},
    "who": {**VENDOR, "offers": {"cheap": "cheap"}},
}
COSTS = {  # in nano-USD: expected, worst
    (LOCAL, "cheap"): (0, 0),
    ("cn/good", "good"): (900, 4_000),
    ("us/good", "good"): (1_200, 5_000),
    ("cn/cheap", "cheap"): (300, 1_000),
    ("who/cheap", "cheap"): (None, None),
    ("us/english", "english"): (700, 3_000),
}
CONTEXTS = {LOCAL: 4_096, "who/cheap": 8_192}
SCORED = {
    "good": {"overall": 0.95},
    "cheap": {"overall": 0.7, "tasks": {"code": 0.92}},
}
ABILITIES = {
    "english": {"languages": ["en"], "tools": False},
    "cheap": {"context_tokens_max": 32_000},
}
ORDERS: list[dict[str, Any]] = [
    {},
    {"choose": "cheapest"},
    {"choose": "best_value", "score_per_usd": 300_000.0},
    {"choose": "best_value"},
]
BOUNDS: list[dict[str, Any]] = [
    {},
    {"quality_floor": 0.9},
    {"cost_usd_max": "0.000003"},
    {"inference_within": ["eu", "cn"], "allowed_sensitivity": ["public", "internal"]},
    {"needs": {"tools": True, "languages": ["zh"]}},
]
CANDIDATES: list[list[Any]] = [
    ["english", "good", "cheap"],
    ["cheap", {"model": "good", "quality_floor": 0.96}, "nobody"],
]
PACKS: list[list[str]] = [[], ["pipl", "cn-genai", "gdpr"]]
REQUESTS = [
    Request(model, task, language, sensitivity, home, tools, tokens)
    for model, task, language, sensitivity, home, (tools, tokens) in product(
        ("auto", "rest", "cheap"),
        (None, "code", "law"),
        (None, "en", "th"),
        ("internal", "pii"),
        (None, "cn", "de"),
        ((False, 100), (True, 6_000)),
    )
]


def configured(
    candidates: list[Any], order: dict[str, Any], bounds: dict[str, Any], packs: list[str]
) -> dict[str, Any]:
    rules: dict[str, Any] = {
        "coding": {"tasks": ["code"], "candidates": candidates, **order, **bounds},
        "rest": {"tasks": ["chat"], "candidates": candidates[::-1], **bounds},
    }
    if order:
        rules["rest"]["tasks"] = ["chat", "default"]
    return {
        "rules": rules,
        "quality": SCORED,
        "abilities": ABILITIES,
        "compliance": {"packs": packs, "own": GERMANY},
        "providers": PROVIDERS,
    }


class Both:
    """One configuration, ready for the plan and for the oracle."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self._config = load_config(dict(raw))
        self._routing = routing_of(self._config, QualityTable())
        own = self._config.compliance.own.facts(["any"], is_own=True)
        offers = {
            f"{name}/{offer.name}": each.facts.facts([model])
            for name, each in self._config.providers.items()
            for model, offer in each.offers.items()
        }
        self._matrix = Matrix(self._config.compliance.rules, own, offers)
        facts: dict[str, TargetFacts] = {LOCAL: own, **offers}
        self._targets = [
            Target(model, name, facts[name], *cost, CONTEXTS.get(name, 131_072))
            for (name, model), cost in COSTS.items()
        ]

    def planned(self, request: Request) -> Answer:
        traits = Traits(request.home, Protection[request.sensitivity.upper()])
        asked = Asked(
            request.model,
            request.task,
            request.language,
            Needs(tools=request.tools, context_tokens=request.tokens),
            Sensitivity(request.sensitivity),
        )
        try:
            found = self._routing.plan(asked, self._places, self._matrix.allowance(traits, TODAY))
        except BadRequest:
            return Answer(None)
        steps = [
            (step.model, set(step.offers) | ({LOCAL} if step.is_local else set()))
            for step in found.steps
        ]
        return Answer(steps, found.is_forbidden)

    def expected(self, request: Request) -> Answer:
        return answer(self.raw, self._config.compliance.rules, self._targets, request, TODAY)

    def _places(self, model: str) -> Sequence[Place]:
        return [
            Place(each.name, each.expected_nano, each.worst_nano, each.context)
            for each in self._targets
            if each.model == model
        ]


@pytest.mark.parametrize("packs", PACKS, ids=["lawless", "laws"])
@pytest.mark.parametrize("bounds", BOUNDS, ids=lambda each: next(iter(each), "unbound"))
@pytest.mark.parametrize("order", ORDERS, ids=lambda each: "-".join(map(str, each.values())))
@pytest.mark.parametrize("candidates", CANDIDATES, ids=["three", "floored"])
def test_each_combination(
    candidates: list[Any], order: dict[str, Any], bounds: dict[str, Any], packs: list[str]
) -> None:
    both = Both(configured(candidates, order, bounds, packs))
    for request in REQUESTS:
        assert both.planned(request) == both.expected(request), request


def test_the_combinations_are_many_and_end_in_every_way() -> None:
    assert len(REQUESTS) >= 300
    seen = [
        both.planned(each)
        for candidates, bounds, packs in product(CANDIDATES, BOUNDS, PACKS)
        for both in (Both(configured(candidates, {}, bounds, packs)),)
        for each in REQUESTS
    ]
    assert any(each.steps is None for each in seen)
    assert any(each.is_forbidden for each in seen)
    assert any(each.steps == [] and not each.is_forbidden for each in seen)
    lengths = {len(each.steps) for each in seen if each.steps is not None}
    assert lengths == {0, 1, 2, 3}


bounds = st.fixed_dictionaries(
    {},
    optional={
        "quality_floor": st.sampled_from([0.5, 0.7, 0.93]),
        "cost_usd_max": st.sampled_from(["0", "0.000001", "0.000004", "0.01"]),
        "inference_within": st.sampled_from([["eu"], ["cn"], ["us", "sg"], ["anywhere"]]),
        "allowed_sensitivity": st.sampled_from([["public"], ["internal", "pii"]]),
        "needs": st.fixed_dictionaries(
            {},
            optional={
                "tools": st.booleans(),
                "languages": st.sampled_from([["en"], ["zh", "yue"]]),
                "context_tokens": st.sampled_from([4_097, 40_000]),
            },
        ),
    },
)
requests = st.builds(
    Request,
    model=st.sampled_from(["auto", "coding", "rest", "good", "nobody"]),
    task=st.sampled_from([None, "code", "chat", "law"]),
    language=st.sampled_from([None, "en", "zh", "th"]),
    sensitivity=st.sampled_from(["public", "internal", "pii", "regulated"]),
    home=st.sampled_from([None, "cn", "hk", "de", "us"]),
    tools=st.booleans(),
    tokens=st.sampled_from([1, 4_096, 4_097, 8_193, 32_001, 200_000]),
)


@settings(max_examples=300, deadline=None)
@given(
    candidates=st.permutations(["english", "good", "cheap", "nobody"]).map(lambda all_: all_[:3]),
    order=st.sampled_from(ORDERS),
    bounds=bounds,
    packs=st.lists(st.sampled_from(["pipl", "cn-genai", "gdpr", "pdpo-hk"]), unique=True),
    request=requests,
)
def test_any_combination(
    candidates: list[Any],
    order: dict[str, Any],
    bounds: dict[str, Any],
    packs: list[str],
    request: Request,
) -> None:
    both = Both(configured(candidates, order, bounds, packs))
    assert both.planned(request) == both.expected(request)
