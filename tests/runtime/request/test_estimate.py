"""Token estimates that learn from usage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.request.estimate import PROMPTS_LEARNED_EVERY, PROMPTS_LEARNED_FIRST, Estimator, Kind
from scheduler.learned.lengths import OUTPUT_TOKENS_ASSUMED
from scheduler.learned.prompt_tokens import TOKEN_MODELS_MAX, PromptShape

KIND = Kind("acme", "summary", "m", 1_000)
SHAPE = PromptShape.of("the river turned its old wheel and she listened. " * 20, 1)


def test_a_model_learns_what_its_prompts_take() -> None:
    estimator = Estimator()
    before = estimator.prompt_tokens("other", SHAPE)
    for _ in range(50):
        estimator.learn_prompt("m", SHAPE, 333)
    assert abs(estimator.prompt_tokens("m", SHAPE) - 333) < 10
    assert estimator.prompt_tokens("other", SHAPE) == before


def test_a_model_that_is_known_goes_on_learning() -> None:
    estimator = Estimator()
    for _ in range(PROMPTS_LEARNED_FIRST):
        estimator.learn_prompt("m", SHAPE, 200)
    before = estimator.prompt_tokens("m", SHAPE)
    for _ in range(PROMPTS_LEARNED_EVERY - 1 - PROMPTS_LEARNED_FIRST % PROMPTS_LEARNED_EVERY):
        estimator.learn_prompt("m", SHAPE, 400)
    assert estimator.prompt_tokens("m", SHAPE) == before
    for _ in range(1_000 * PROMPTS_LEARNED_EVERY):
        estimator.learn_prompt("m", SHAPE, 400)
    assert estimator.prompt_tokens("m", SHAPE) > 350


def test_answers_are_learned_by_tenant_and_task() -> None:
    estimator = Estimator()
    assert estimator.lengths(KIND).mean(100_000) > OUTPUT_TOKENS_ASSUMED / 2
    for _ in range(200):
        estimator.learn_answer(KIND, 20, is_complete=True)
        estimator.learn_answer(KIND._replace(tenant="other"), 900, is_complete=True)
    mean = estimator.lengths(KIND).mean(100_000)
    assert 15 < mean < 60
    assert estimator.lengths(KIND._replace(tenant="other")).mean(100_000) > 500
    assert mean < estimator.lengths(KIND._replace(task="new", tenant="new")).mean(100_000) < 900


def test_an_answer_that_was_cut_off_does_not_make_answers_look_shorter() -> None:
    cut, ended = Estimator(), Estimator()
    for _ in range(50):
        cut.learn_answer(KIND, 20, is_complete=False)
        ended.learn_answer(KIND, 20, is_complete=True)
    assert ended.lengths(KIND).mean(10_000) < 50
    assert cut.lengths(KIND).mean(10_000) > 100


def test_bounds_that_bit_are_counted() -> None:
    estimator = Estimator()
    assert set(estimator.limits.values()) == {0}
    for number in range(TOKEN_MODELS_MAX + 3):
        estimator.learn_prompt(str(number), SHAPE, 5)
    estimator.learn_prompt("m", SHAPE, 0)
    assert (estimator.limits["token_models"], estimator.limits["token_reports"]) == (3, 1)


@given(st.integers(0, 10**9), st.booleans(), st.integers(1, 10_000))
def test_no_report_makes_an_expectation_absurd(answer: int, complete: bool, most: int) -> None:
    estimator = Estimator()
    for _ in range(20):
        estimator.learn_answer(KIND, answer, is_complete=complete)
    assert 1 <= estimator.lengths(KIND).mean(most) <= most


def test_an_answer_has_no_template_around_it() -> None:
    estimator = Estimator()
    assert estimator.answer_tokens("m", "") == 0
    assert estimator.answer_tokens("m", "a") == 1
    prompt = estimator.prompt_tokens("m", PromptShape.of("word " * 100, 1))
    assert 90 < estimator.answer_tokens("m", "word " * 100) < prompt
