"""docs/examples/bilingual.yaml: three rules by language, cost and law, and the mix they come to."""

from __future__ import annotations

from collections import Counter

import pytest

from runtime.wire.tags import Sensitivity
from scheduler.routing.routing_plan import Code
from tests.runtime.routing.example import Example

PII = Sensitivity.PII
STRONG_IN_CHINESE = ["qwen3-max", "deepseek-v3.2"]
STRONG_IN_ENGLISH = ["claude-opus-4.5", "gpt-5.1"]
# Of 100 requests, as the mix of a client was published: task, language, prompt tokens, share.
TRAFFIC = [
    ("drafting", "en", 600, 20),
    ("bulk_classification", "vi", 600, 22),
    ("rag_synthesis", "zh", 6_000, 20),
    ("legal", "zh", 3_000, 10),
    ("finance", "zh", 3_000, 14),
    ("customer_history", "en", 120_000, 9),
    ("creative_writing", "en", 600, 5),
]


@pytest.fixture(scope="module")
def example() -> Example:
    return Example("bilingual")


@pytest.mark.parametrize("language", ["zh", "yue", "ms-id", "vi"])
def test_rule_of_language_chinese_and_south_east_asia(example: Example, language: str) -> None:
    assert example.models("assistant", language=language) == STRONG_IN_CHINESE


def test_rule_of_language_english_alone_and_code(example: Example) -> None:
    assert example.models("assistant", language="en")[:2] == STRONG_IN_ENGLISH
    assert example.models("code", language="en")[:2] == STRONG_IN_ENGLISH
    assert example.models("unheard of", language="en")[:2] == STRONG_IN_ENGLISH
    assert example.models(None, language="zh") == STRONG_IN_CHINESE


@pytest.mark.parametrize("task", ["drafting", "summarization", "bulk_classification"])
def test_rule_of_cost_what_there_is_much_of(example: Example, task: str) -> None:
    (step,) = example.plan(task).steps
    assert (step.model, step.is_local) == ("deepseek-v3.2", True)


@pytest.mark.parametrize("task", ["reasoning", "agent_planning", "customer_copy"])
def test_rule_of_cost_what_people_read(example: Example, task: str) -> None:
    assert example.models(task, language="en")[:2] == STRONG_IN_ENGLISH
    assert example.models(task, language="zh") == STRONG_IN_CHINESE


@pytest.mark.parametrize("task", ["assistant", "code", "drafting", "legal", "creative_writing"])
def test_rule_of_law_personal_data_stays_in_the_pool_at_home(example: Example, task: str) -> None:
    found = example.plan(task, sensitivity=PII, home="sg")
    (step,) = found.steps
    assert (step.model, step.is_local, step.offers) == ("deepseek-v3.2", True, frozenset())
    refused = {each.code for each in found.verdicts if each.target != "local"}
    assert refused <= {Code.COMPLIANCE, Code.WITHHELD}


@pytest.mark.parametrize("sensitivity", Sensitivity)
def test_rule_of_law_nothing_here_may_serve_the_mainland(
    example: Example, sensitivity: Sensitivity
) -> None:
    """Neither a registered model nor an operator there: a pool of its own in China is needed."""
    found = example.plan("assistant", sensitivity=sensitivity, home="cn")
    assert found.is_forbidden
    assert all("cn-genai" in each.detail or "pipl" in each.detail for each in found.verdicts)


def test_the_mix_is_62_24_9_5(example: Example) -> None:
    mix: Counter[str] = Counter()
    for task, language, prompt_tokens, share in TRAFFIC:
        found = example.plan(task, language=language, prompt_tokens=prompt_tokens)
        mix[found.steps[0].model] += share
    assert mix == {"deepseek-v3.2": 62, "qwen3-max": 24, "kimi-k2.5": 9, "claude-opus-4.5": 5}


def test_no_split_of_input_and_output_makes_the_mix_as_cheap_as_was_published(
    example: Example,
) -> None:
    """$0.71 per M tokens; input alone, the cheapest of all, is $0.778 at list prices."""
    shares = {"qwen3-max": 0.24, "kimi-k2.5": 0.09, "claude-opus-4.5": 0.05}
    deepseek_usd = 0.30  # per M tokens of input where it is bought; the example has it in a pool
    floor = 0.62 * deepseek_usd + sum(n * example.usd(model, 1, 0) for model, n in shares.items())
    assert floor == pytest.approx(0.778)
    assert floor > 0.71
