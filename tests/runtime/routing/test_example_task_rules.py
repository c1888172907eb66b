"""docs/examples/task-rules.yaml: a registry of models by task, and what it decides.

The two first rules are a template with every of its fields; the others are five scenarios.
"""

from __future__ import annotations

import pytest

from runtime.errors import BadRequest
from runtime.wire.tags import Sensitivity
from scheduler.routing.routing_plan import Code, RoutingPlan
from scheduler.routing.rule import Substitute
from tests.runtime.routing.example import Example, document

PII = Sensitivity.PII


@pytest.fixture(scope="module")
def example() -> Example:
    return Example("task-rules")


def codes(found: RoutingPlan) -> dict[str, Code | None]:
    return {each.target: each.code for each in found.verdicts}


def test_the_template_keeps_each_of_its_fields(example: Example) -> None:
    """orchestration: telemetry, two routing rules, circuit breaker."""
    code, qa = (example.config.rules[name] for name in ("code_generation", "enterprise_qa"))
    assert code.tasks == {"code_generation"}
    assert qa.tasks == {"enterprise_qa"}
    assert code.models == ("deepseek-v4-flash", "qwen3-coder")
    assert qa.models == ("gpt-4o", "glm-5")
    assert (code.quality_floor, qa.quality_floor) == (0.91, 0.92)
    assert (code.cost_usd_max, qa.cost_usd_max) == (50_000_000, 150_000_000)
    assert (code.first_token_ms_max, qa.first_token_ms_max) == (800, 1_200)
    assert code.inference_within is None
    assert qa.inference_within == frozenset({"us", "eu"})
    assert PII not in code.allowed_sensitivity
    assert PII in qa.allowed_sensitivity
    assert (code.defaults.temperature, code.defaults.max_tokens) == (0.2, 2_048)
    providers = example.config.providers
    contexts = {
        model: providers[provider].offers[model].context_tokens_max
        for provider, model in [
            ("deepseek", "deepseek-v4-flash"),
            ("qwen", "qwen3-coder"),
            ("openai", "gpt-4o"),
            ("zhipu", "glm-5"),
        ]
    }
    assert contexts == {
        "deepseek-v4-flash": 128_000,
        "qwen3-coder": 131_072,
        "gpt-4o": 128_000,
        "glm-5": 128_000,
    }
    breaker = example.config.circuit_breaker
    assert (breaker.failures, breaker.open_ms) == (5, 30_000)
    (app,) = document("task-rules")["applications"]
    assert app["runtime_env"]["env_vars"] == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://telemetry.internal/api/v1/inference",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
        "OTEL_BSP_SCHEDULE_DELAY": "5000",
    }
    assert example.config.tenants["product"].required == {"feature", "task"}


def test_code_goes_to_the_first_and_then_to_the_second(example: Example) -> None:
    found = example.plan("code_generation")
    assert [step.model for step in found.steps] == ["deepseek-v4-flash", "qwen3-coder"]
    assert {step.first_token_ms_max for step in found.steps} == {800}


def test_code_with_personal_data_goes_nowhere(example: Example) -> None:
    found = example.plan("code_generation", sensitivity=PII)
    assert found.is_forbidden
    assert {each.detail for each in found.verdicts} == {
        "rules/code_generation: allowed_sensitivity does not allow it"
    }


def test_the_templates_own_fallback_is_outside_its_own_residency(example: Example) -> None:
    """glm-5 at its maker runs in China, and the rule wants the US or the EU: a US host remains."""
    for sensitivity in (Sensitivity.INTERNAL, PII):
        found = example.plan("enterprise_qa", sensitivity=sensitivity)
        assert [step.model for step in found.steps] == ["gpt-4o", "glm-5"]
        assert found.steps[1].offers == {"deepinfra/zai-org/GLM-5"}
        assert codes(found)["zhipu/glm-5"] is Code.COMPLIANCE


def test_a_request_that_may_cost_more_than_its_ceiling_goes_to_what_is_cheaper(
    example: Example,
) -> None:
    """16,000 tokens of gpt-4o are $0.16; of glm-5 $0.03."""
    found = example.plan("enterprise_qa", answer_tokens_max=16_000)
    assert [step.model for step in found.steps] == ["glm-5"]
    assert codes(found)["openai/gpt-4o"] is Code.COST


def test_a_model_that_falls_below_its_floor_is_passed_over_and_comes_back() -> None:
    example = Example("task-rules")
    example.table.observe("deepseek-v4-flash", "code_generation", "", 0.6, count=200)
    found = example.plan("code_generation")
    assert [step.model for step in found.steps] == ["qwen3-coder"]
    assert codes(found)["deepseek/deepseek-v4-flash"] is Code.QUALITY
    example.table.observe("deepseek-v4-flash", "code_generation", "", 0.99, count=5_000)
    assert example.models("code_generation") == ["deepseek-v4-flash", "qwen3-coder"]


def test_scenario_internal_code_review(example: Example) -> None:
    found = example.plan("code_review")
    assert [step.model for step in found.steps] == ["deepseek-v4-flash", "qwen3-coder", "gpt-4o"]
    assert found.steps[2].substitute is Substitute.FAILURE
    saved = 1 - example.usd("deepseek-v4-flash", 1, 1) / example.usd("gpt-4o", 1, 1)
    assert saved == pytest.approx(0.966, abs=0.001)  # 95 % was published


def test_scenario_financial_questions_of_customers(example: Example) -> None:
    found = example.plan("financial_qa", sensitivity=PII)
    assert [step.model for step in found.steps] == ["gpt-4o", "glm-5"]
    assert found.steps[1].substitute is Substitute.FAILURE
    assert found.rule.temperature == 0


@pytest.mark.parametrize("language", ["zh", "vi", "en", "ms-id", None])
def test_scenario_support_in_many_languages(example: Example, language: str | None) -> None:
    found = example.plan("multilingual_support", language=language)
    assert [step.model for step in found.steps] == ["qwen3-32b", "glm-5"]
    assert found.steps[0].is_local
    assert found.steps[0].substitute is Substitute.OVERLOAD


def test_scenario_a_chat_that_must_begin_at_once(example: Example) -> None:
    found = example.plan("realtime_chat")
    assert [step.first_token_ms_max for step in found.steps] == [800, 1_200]
    assert found.rule.deadline_ms == 30_000
    assert found.rule.max_tokens == 512


def test_scenario_documents_by_night_go_to_the_cheapest(example: Example) -> None:
    found = example.plan("document_analysis", prompt_tokens=30_000)
    assert [step.model for step in found.steps] == ["deepseek-v4-flash", "qwen3-coder", "gpt-4o"]
    saved = 1 - example.usd("deepseek-v4-flash", 20, 1) / example.usd("gpt-4o", 20, 1)
    assert saved == pytest.approx(0.936, abs=0.001)  # "~97 %" needs nearly all to be answers
    assert example.models("document_analysis", prompt_tokens=130_000) == []


def test_a_task_that_stands_nowhere_is_refused_with_those_that_do(example: Example) -> None:
    with pytest.raises(BadRequest, match="did you mean code_generation"):
        example.plan("code_generatio")
