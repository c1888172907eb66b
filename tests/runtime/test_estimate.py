"""Token estimates that learn from usage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.estimate import CORRECTION_MAX, OUTPUT_TOKENS_FIRST, Estimator, PromptSize

SIZES = st.builds(PromptSize, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 100))


@given(SIZES)
def test_an_estimate_is_at_least_one_and_grows_with_the_text(size: PromptSize) -> None:
    estimate = Estimator().prompt_tokens("m", size)
    longer = PromptSize(size.ascii_bytes + 400, size.other_bytes, size.messages)
    assert 1 <= estimate < Estimator().prompt_tokens("m", longer)


def test_latin_text_is_near_four_bytes_and_other_scripts_near_three() -> None:
    estimator = Estimator()
    assert estimator.prompt_tokens("m", PromptSize(4000, 0, 0)) == 1001
    assert estimator.prompt_tokens("m", PromptSize(0, 3000, 0)) == 1001


@given(st.integers(1, 400_000), st.lists(st.integers(0, 5_000), min_size=1, max_size=30))
def test_it_comes_nearer_to_what_is_reported(real: int, answers: list[int]) -> None:
    estimator, size = Estimator(), PromptSize(40_000, 3_000, 3)
    bounded = min(real, CORRECTION_MAX * size.raw_tokens)
    before = abs(estimator.prompt_tokens("m", size) - bounded)
    for answer in answers:
        estimator.learn("m", size, real, answer)
    assert abs(estimator.prompt_tokens("m", size) - bounded) <= max(before, 0.2 * size.raw_tokens)
    assert 1 <= estimator.output_tokens("m", 10**6) <= max(OUTPUT_TOKENS_FIRST, *answers)


def test_it_converges() -> None:
    estimator, size = Estimator(), PromptSize(4_000, 0, 1)
    for _ in range(100):
        estimator.learn("m", size, 2_500, 90)
    assert abs(estimator.prompt_tokens("m", size) - 2_500) < 10
    assert estimator.output_tokens("m", 10_000) == 90
    assert estimator.output_tokens("m", 20) == 20
    assert estimator.prompt_tokens("other", size) == 1_009


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_no_report_makes_an_estimate_absurd(prompt: int, answer: int) -> None:
    estimator, size = Estimator(), PromptSize(400, 0, 0)
    for _ in range(50):
        estimator.learn("m", size, prompt, answer)
    assert 101 * 0.19 <= estimator.prompt_tokens("m", size) <= 101 * CORRECTION_MAX
    assert 1 <= estimator.output_tokens("m", 1_000) <= 1_000
