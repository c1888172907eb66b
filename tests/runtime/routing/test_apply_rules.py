"""Which rule a request asks for, and that its plan is made of what the configuration says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from runtime.config import load_config
from runtime.errors import BadRequest
from runtime.routing.apply_rules import Asked, Routing, routing_of
from runtime.wire.tags import Sensitivity
from scheduler.compliance.compliance_matrix import LOCAL, Allowance
from scheduler.compliance.evaluate_rules import Forbidden
from scheduler.routing.quality_table import QualityTable
from scheduler.routing.routing_plan import Code, Place, RoutingPlan, Step
from scheduler.routing.rule import Needs

MODELS = ("cheap", "dear", "english")
PLACES = {
    "cheap": (Place(LOCAL, 0, 0, 8_192), Place("v/cheap", 10, 40, 131_072)),
    "dear": (Place("v/dear", 100, 400, 131_072),),
    "english": (Place("w/english", 50, 200, 131_072),),
}
EVERYTHING = Allowance(frozenset({"v/cheap", "v/dear", "w/english"}), True, {})
CONFIG = {
    "rules": {
        "coding": {
            "tasks": ["code"],
            "candidates": ["dear", {"model": "cheap", "substitute": "failure"}],
            "quality_floor": 0.9,
            "first_token_ms_max": 800,
            "deadline_ms": 5_000,
            "defaults": {"temperature": 0.2, "max_tokens": 100},
        },
        "talk": {"tasks": ["chat", "support"], "candidates": ["english", "cheap"]},
        "unbound": {"candidates": ["cheap"]},
    },
    "quality": {
        "dear": {"overall": 0.95},
        "cheap": {"overall": 0.5, "tasks": {"code": 0.91}},
    },
    "abilities": {"english": {"languages": ["en"]}, "cheap": {"tools": False}},
}


def routing(config: Mapping[str, Any] = CONFIG, table: QualityTable | None = None) -> Routing:
    return routing_of(load_config(dict(config)), table or QualityTable())


def places(model: str) -> Sequence[Place]:
    return PLACES.get(model, ())


def planned(
    model: str,
    task: str | None = None,
    *,
    language: str | None = None,
    needs: Needs | None = None,
    allowance: Allowance = EVERYTHING,
    of: Routing | None = None,
    sensitivity: Sensitivity = Sensitivity.INTERNAL,
) -> RoutingPlan:
    asked = Asked(model, task, language, needs or Needs(), sensitivity)
    return (of or routing()).plan(asked, places, allowance)


def models(found: RoutingPlan) -> list[str]:
    return [step.model for step in found.steps]


def test_auto_is_the_rule_of_the_task() -> None:
    found = planned("auto", "code")
    assert found.rule.name == "coding"
    assert models(found) == ["dear", "cheap"]
    assert [step.first_token_ms_max for step in found.steps] == [800, 800]
    rule = found.rule
    assert (rule.deadline_ms, rule.temperature, rule.max_tokens) == (5_000, 0.2, 100)
    assert planned("auto", "support").rule.name == "talk"


def test_a_rule_is_asked_for_by_its_name_whatever_the_task() -> None:
    assert planned("coding", "unheard of").rule.name == "coding"
    assert models(planned("unbound")) == ["cheap"]


def test_the_one_task_of_a_rule_is_that_of_a_request_without_one() -> None:
    assert models(planned("coding")) == ["dear", "cheap"]  # by its score at code
    assert models(planned("coding", "law")) == ["dear"]  # by its score over all


def test_a_named_model_is_never_replaced_and_nothing_is_asked_of_it() -> None:
    needs = Needs(tools=True, context_tokens=200_000)
    found = planned("cheap", "code", language="th", needs=needs)
    assert found.steps == (Step("cheap", is_local=True, offers=frozenset({"v/cheap"})),)
    assert found.rule.name == ""
    assert found.rule.deadline_ms is None


def test_a_named_model_is_kept_from_where_the_law_forbids_it() -> None:
    forbidden = Forbidden("pipl/stays", "storage_regions", is_known=True)
    allowance = Allowance(frozenset(), False, {LOCAL: forbidden, "v/cheap": forbidden})
    for model in ("cheap", "unbound"):
        found = planned(model, allowance=allowance)
        assert found.is_forbidden
        assert [(each.target, each.code) for each in found.verdicts] == [
            (LOCAL, Code.COMPLIANCE),
            ("v/cheap", Code.COMPLIANCE),
        ]
    here = Allowance(frozenset(), True, {"v/cheap": forbidden})
    assert planned("cheap", allowance=here).steps == (Step("cheap", True, frozenset()),)


def test_a_model_that_nobody_serves_has_no_step() -> None:
    found = planned("unheard-of")
    assert found.steps == ()
    assert [each.code for each in found.verdicts] == [Code.NOT_SERVED]


def test_what_a_request_needs_leaves_candidates_of_a_rule_out() -> None:
    assert models(planned("coding", needs=Needs(tools=True))) == ["dear"]
    assert models(planned("talk", language="zh")) == ["cheap"]
    assert models(planned("talk", language="en")) == ["english", "cheap"]
    (step,) = planned("unbound", needs=Needs(context_tokens=10_000)).steps
    assert not step.is_local


def test_results_of_a_language_count_for_it() -> None:
    table = QualityTable()
    router = routing(table=table)
    table.observe("dear", "code", "zh", 0.2, count=500)
    assert models(planned("coding", language="zh", of=router)) == ["cheap"]
    assert planned("coding", language="zh", of=router).verdicts[0].code is Code.QUALITY


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("cod", "No rule is for the task `cod`; did you mean code? Known: chat, code, support."),
        ("law", "No rule is for the task `law`. Known: chat, code, support."),
        (None, "needs the header `x-baseload-task`. Known: chat, code, support."),
    ],
)
def test_auto_without_a_rule_names_the_tasks(task: str | None, says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        planned("auto", task)
    assert says in refused.value.message
    assert refused.value.param == "x-baseload-task"


def test_of_many_tasks_some_are_named() -> None:
    many = {"r": {"tasks": [f"t{n:02}" for n in range(20)], "candidates": ["cheap"]}}
    with pytest.raises(BadRequest, match="t11 and 8 more"):
        planned("auto", of=routing({"rules": many}))
    none = {"r": {"candidates": ["cheap"]}}
    with pytest.raises(BadRequest, match="name a rule as the model"):
        planned("auto", of=routing({"rules": none}))


@pytest.mark.parametrize("task", ["law", None])
def test_a_default_rule_takes_every_other_task(task: str | None) -> None:
    rules = {**CONFIG["rules"], "rest": {"tasks": ["default"], "candidates": ["dear"]}}
    assert planned("auto", task, of=routing({"rules": rules})).rule.name == "rest"
    assert planned("auto", "code", of=routing({"rules": rules})).rule.name == "coding"


def test_without_rules_auto_is_a_name_like_any_other() -> None:
    nothing = routing({})
    assert nothing.names == ()
    assert not nothing.knows("auto")
    assert [each.code for each in planned("auto", of=nothing).verdicts] == [Code.NOT_SERVED]
    assert routing().names == ("auto", "coding", "talk", "unbound")
    assert all(routing().knows(name) for name in routing().names)
    assert not routing().knows("cheap")


def test_a_new_configuration_publishes_its_own_scores_and_keeps_results() -> None:
    table = QualityTable()
    routing(table=table)
    table.observe("dear", "code", "", 0.2, count=500)
    again = routing({**CONFIG, "quality": {"cheap": {"overall": 0.5}}}, table)
    assert models(planned("coding", of=again)) == []
    assert table.quality("cheap", "code").published == 0.5


def restricted(**rule: Any) -> Routing:
    """The pool is in Germany, one vendor in the US, and of the other nobody knows."""
    vendor = {"base_url": "https://api.example.com/v1", "key_env": "KEY"}
    us = {"inference_jurisdictions": ["us"]}
    return routing(
        {
            "rules": {"r": {"candidates": list(MODELS), **rule}},
            "compliance": {"own": {"inference_jurisdictions": ["de"]}},
            "providers": {
                "v": {**vendor, "offers": {"cheap": "cheap", "dear": "dear"}, "facts": us},
                "w": {**vendor, "offers": {"english": "english"}},
            },
        }
    )


@pytest.mark.parametrize(
    ("within", "steps"),
    [
        (["eu"], [Step("cheap", True, frozenset())]),
        (["us"], [Step("cheap", False, frozenset({"v/cheap"})),
                  Step("dear", False, frozenset({"v/dear"}))]),
        (["cn"], []),
    ],
)  # fmt: skip
def test_a_rule_says_where_its_targets_may_run(within: list[str], steps: list[Step]) -> None:
    router = restricted(inference_within=within)
    found = planned("r", of=router)
    assert list(found.steps) == steps
    assert found.is_forbidden == (not steps)
    unknown = next(each for each in found.verdicts if each.target == "w/english")
    assert unknown.code is Code.COMPLIANCE
    assert unknown.detail == "rules/r: inference_jurisdictions unknown"
    assert models(planned("english", of=router)) == ["english"]  # by its name, no rule is asked


def test_a_rule_says_what_may_be_sent_by_it() -> None:
    router = restricted(allowed_sensitivity=["public", "internal"])
    assert models(planned("r", of=router)) == list(MODELS)
    found = planned("r", of=router, sensitivity=Sensitivity.PII)
    assert found.is_forbidden
    assert {each.detail for each in found.verdicts} == {
        "rules/r: allowed_sensitivity does not allow it"
    }
    assert models(planned("r", of=restricted(), sensitivity=Sensitivity.REGULATED)) == list(MODELS)


def test_where_the_law_forbids_too_it_is_named() -> None:
    law = Forbidden("gdpr/stays", "storage_regions", is_known=False)
    allowance = Allowance(EVERYTHING.offers - {"v/dear"}, True, {"v/dear": law})
    found = planned("r", of=restricted(inference_within=["eu"]), allowance=allowance)
    details = {each.target: each.detail for each in found.verdicts}
    assert details["v/dear"] == "gdpr/stays: storage_regions unknown"
    assert details["v/cheap"] == "rules/r: inference_jurisdictions does not allow it"
