"""Rules, scores and abilities in the configuration: what they become, and what is wrong at once."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config import GatewayConfig, load_config, read_config
from runtime.config_rules import CANDIDATES_MAX, RuleConfig
from scheduler.routing.rule import Abilities, Candidate, Choose, Needs, Rule, Substitute

WHOLE = {
    "tasks": ["code", "review"],
    "candidates": [
        "first",
        {
            "model": "second",
            "substitute": "failure",
            "quality_floor": 0.5,
            "first_token_ms_max": 1_200,
        },
    ],
    "choose": "best_value",
    "quality_floor": 0.91,
    "cost_usd_max": "0.05",
    "score_per_usd": 10.0,
    "needs": {
        "tools": True,
        "images": True,
        "structured_output": True,
        "languages": ["zh", "ms-id"],
        "context_tokens": 32_000,
    },
    "first_token_ms_max": 800,
    "deadline_ms": 60_000,
    "defaults": {"temperature": 0.2, "max_tokens": 2_048},
}


def told(rules: Any, **more: Any) -> list[str]:
    config, found = read_config({"rules": rules, **more})
    assert (config is None) == bool(found)
    return [str(each) for each in found]


def test_every_key_of_a_rule_reaches_the_rule() -> None:
    assert load_config({"rules": {"r": WHOLE}}).rules["r"].rule("r") == Rule(
        name="r",
        tasks=frozenset({"code", "review"}),
        candidates=(Candidate("first"), Candidate("second", Substitute.FAILURE, 0.5, 1_200)),
        choose=Choose.BEST_VALUE,
        quality_floor=0.91,
        cost_nano_max=50_000_000,
        needs=Needs(True, True, True, frozenset({"zh", "ms-id"}), 32_000),
        first_token_ms_max=800,
        deadline_ms=60_000,
        score_per_usd=10.0,
        temperature=0.2,
        max_tokens=2_048,
    )


def test_candidates_alone_are_a_rule() -> None:
    rule = load_config({"rules": {"r": {"candidates": ["m"]}}}).rules["r"].rule("r")
    assert rule == Rule("r", frozenset(), (Candidate("m"),))


def test_what_is_shown_of_a_rule_is_read_as_the_same() -> None:
    config = load_config({"rules": {"r": WHOLE}, "quality": {"m": {"overall": 0.5}}})
    shown = config.model_dump(mode="json")
    assert shown["rules"]["r"]["cost_usd_max"] == "0.05"
    assert load_config(shown) == config


def test_abilities_that_are_not_stated_are_there() -> None:
    abilities = load_config({"abilities": {"m": {}, "n": {"tools": False, "languages": ["zh"]}}})
    assert abilities.abilities["m"].abilities() == Abilities()
    assert abilities.abilities["n"].abilities() == Abilities(
        tools=False, languages=frozenset({"zh"})
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = told(
        {
            "auto": {"candidates": ["m", "m", "auto"]},
            "m": {"candidates": ["other"], "tasks": ["a"], "score_per_usd": 2},
            "n": {
                "tasks": ["b", "a", "not this"],
                "candidates": [{"model": "m", "substitute": "failur"}],
                "cost_usd_max": 0.05,
                "needs": {"languages": ["ms", "zh-CN"]},
                "quality_flor": 0.9,
            },
            "o": {"candidates": [], "quality_floor": 91, "cost_usd_max": "-1"},
        },
        quality={"m": {"overall": 93, "tasks": {"a": "good"}}},
        abilities={"m": {"tool": True}},
    )
    expected = [
        ("rules.auto", "is what asks for the rule of a task"),
        ("rules.auto.candidates[1]", "'m' is candidate 1 already"),
        ("rules.auto.candidates[2]", "'auto' is no model"),
        ("rules.m", "is the name of a model, too"),
        ("rules.m.score_per_usd", "best_value alone"),
        ("rules.n.tasks[1]", "'a' stands in rule 'm', too"),
        ("rules.n.tasks[2]", "expected text of the form"),
        ("rules.n.candidates[0].substitute", "did you mean failure?"),
        ("rules.n.cost_usd_max", "as a quoted string"),
        ("rules.n.needs.languages[0]", "write ms-id"),
        ("rules.n.needs.languages[1]", "expected text of the form"),
        ("rules.n.quality_flor", "did you mean quality_floor?"),
        ("rules.o.candidates", "at least 1 of them"),
        ("rules.o.quality_floor", "at most 1, got 91"),
        ("rules.o.cost_usd_max", "must be between 0"),
        ("quality.m.overall", "at most 1, got 93"),
        ("quality.m.tasks.a", "expected a number"),
        ("abilities.m.tool", "did you mean tools?"),
    ]
    for path, says in expected:
        assert any(each.startswith(f"{path}: ") and says in each for each in found), (path, found)
    assert len(found) == len(expected)


def test_a_rule_may_not_be_called_as_a_model_that_is_bought() -> None:
    provider = {"base_url": "https://api.example.com/v1", "key_env": "KEY", "offers": {"m": "m"}}
    (found,) = told({"m": {"candidates": ["n"]}}, providers={"acme": provider})
    assert found.startswith("rules.m: is the name of a model, too")


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ({"r": {}}, "rules.r.candidates"),
        ({"r": None}, "rules.r"),
        ([], "rules"),
        ({"r": {"candidates": "m"}}, "rules.r.candidates"),
        ({"r": {"candidates": [None]}}, "rules.r.candidates[0]"),
        ({"r": {"candidates": ["m"], "tasks": "code"}}, "rules.r.tasks"),
        ({"r": {"candidates": ["m"], "tasks": [["code"]]}}, "rules.r.tasks[0]"),
        ({"": {"candidates": ["m"]}}, 'rules[""]'),
        ({"r": {"candidates": [f"m{n}" for n in range(CANDIDATES_MAX + 1)]}}, "rules.r.candidates"),
        ({"r": {"candidates": ["m"], "deadline_ms": 0}}, "rules.r.deadline_ms"),
        ({"r": {"candidates": ["m"], "quality_floor": float("nan")}}, "rules.r.quality_floor"),
        ({"r": {"candidates": ["m"], "defaults": {"max_tokens": 0}}},
         "rules.r.defaults.max_tokens"),
        ({"r": {"candidates": ["m"], "defaults": {"temperature": 3}}},
         "rules.r.defaults.temperature"),
    ],
)  # fmt: skip
def test_no_form_of_rules_is_taken_for_another(rules: Any, path: str) -> None:
    assert [each.partition(": ")[0] for each in told(rules)] == [path]


def test_rules_that_are_made_in_code_are_checked_too() -> None:
    rule = RuleConfig.model_validate({"tasks": ["a"], "candidates": ["m"]})
    _, found = read_config({"rules": {"m": rule, "n": rule}})
    assert len(found) == 2
    assert GatewayConfig(rules={"n": rule}).rules == {"n": rule}
