from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.learned.lengths import (
    LENGTH_HALF_LIFE,
    LENGTH_KEYS_MAX,
    LENGTH_TOKENS_MAX,
    OUTPUT_TOKENS_ASSUMED,
    WEIGHT_MAX,
    LengthBook,
    LengthCurve,
)

DATA = Path(__file__).parents[4] / "shared" / "data"
QUANTILES = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0)

LENGTHS = st.integers(1, 40) | st.integers(1, 200_000)
SEEN = st.lists(st.tuples(LENGTHS, st.booleans()), max_size=40)
CURVES = (
    st.builds(LengthCurve.exactly, LENGTHS)
    | st.builds(LengthCurve.assumed, st.floats(1.0, 50_000.0))
    | SEEN.map(lambda seen: curve_of(seen))
)


def book_of(seen: list[tuple[int, bool]]) -> LengthBook:
    book = LengthBook()
    for tokens, is_complete in seen:
        book.observe("tenant", "task", "moe", 100, tokens, is_complete)
    return book


def curve_of(seen: list[tuple[int, bool]]) -> LengthCurve:
    return book_of(seen).curve("tenant", "task", "moe", 100)


@given(CURVES, LENGTHS)
def test_the_mean_is_possible_and_each_further_token_is_less_likely(
    curve: LengthCurve, tokens_max: int
) -> None:
    means = [curve.mean(tokens_max + n) for n in range(4)]
    assert 1 <= means[0] <= tokens_max
    alive = [later - sooner for sooner, later in pairwise(means)]
    assert all(-1e-6 <= chance <= 1 + 1e-6 for chance in alive)
    assert all(later <= sooner + 1e-6 for sooner, later in pairwise(alive))


@given(CURVES, LENGTHS)
def test_quantiles_are_possible_and_in_order(curve: LengthCurve, tokens_max: int) -> None:
    lengths = [curve.quantile(q, tokens_max) for q in QUANTILES]
    assert lengths == sorted(lengths)
    assert lengths[0] >= 1
    assert lengths[-1] <= tokens_max
    assert curve.quantile(0.5, tokens_max + 1) >= lengths[3]


@given(CURVES, st.floats(0.01, 0.99))
def test_a_quantile_is_the_first_length_that_so_many_do_not_exceed(
    curve: LengthCurve, q: float
) -> None:
    tokens = curve.quantile(q, LENGTH_TOKENS_MAX)
    exceed = curve.mean(tokens + 1) - curve.mean(tokens)
    assert exceed <= 1 - q + 1e-6
    if tokens > 1:
        assert curve.mean(tokens) - curve.mean(tokens - 1) >= 1 - q - 1e-6


@given(CURVES, st.integers(0, 300_000), LENGTHS)
def test_an_answer_that_goes_on_gets_longer_than_it_is(
    curve: LengthCurve, streamed: int, tokens_max: int
) -> None:
    total = curve.expected_total(streamed, tokens_max)
    assert total <= tokens_max
    assert total >= min(streamed + 1, tokens_max)
    assert curve.expected_total(0, tokens_max) == pytest.approx(curve.mean(tokens_max))


@given(CURVES, st.integers(1, 2_000), st.integers(1, 2_000))
def test_what_is_left_follows_from_the_curve(curve: LengthCurve, streamed: int, more: int) -> None:
    alive = curve.mean(streamed + 1) - curve.mean(streamed)
    if alive < 1e-4:
        return
    left = (curve.mean(streamed + more) - curve.mean(streamed)) / alive
    assert curve.expected_total(streamed, streamed + more) == pytest.approx(streamed + left)


@given(SEEN, st.integers(0, 39), LENGTHS)
def test_a_cut_never_makes_answers_look_shorter(
    seen: list[tuple[int, bool]], place: int, tokens: int
) -> None:
    place = min(place, len(seen))
    ended = curve_of([*seen[:place], (tokens, True), *seen[place:]])
    cut = curve_of([*seen[:place], (tokens, False), *seen[place:]])
    for tokens_max in (10, 1_000, LENGTH_TOKENS_MAX):
        assert cut.mean(tokens_max) >= ended.mean(tokens_max) - 1e-6
        for q in QUANTILES:
            assert cut.quantile(q, tokens_max) >= ended.quantile(q, tokens_max)


def test_answers_that_were_all_cut_off_are_longer_than_that() -> None:
    curve = curve_of([(3_000, False)] * 200)
    assert curve.quantile(0.1, LENGTH_TOKENS_MAX) > 2_000
    assert curve.mean(3_000) > 2_900
    assert curve.mean(LENGTH_TOKENS_MAX) > 3_500


def test_cut_answers_do_not_bias_the_mean() -> None:
    """On average over many states of the book, each of which has seen but a few hundred."""
    random = Random(1)
    book, naive = LengthBook(), LengthBook()
    means, naive_means, total = [], [], 0
    for n in range(40_000):
        tokens, until = 1 + int(random.expovariate(1 / 400)), 1 + int(random.expovariate(1 / 600))
        book.observe("tenant", "task", "moe", 100, min(tokens, until), tokens <= until)
        naive.observe("tenant", "task", "moe", 100, min(tokens, until))
        total += tokens
        if n % 200 == 0:
            means.append(book.curve("tenant", "task", "moe", 100).mean(100_000))
            naive_means.append(naive.curve("tenant", "task", "moe", 100).mean(100_000))
    mean = total / 40_000
    assert sum(means) / len(means) == pytest.approx(mean, rel=0.015)
    assert sum(naive_means) / len(naive_means) < 0.75 * mean


def test_before_anything_was_seen_the_length_is_assumed() -> None:
    curve = LengthBook().curve("tenant", "task", "moe", 100)
    assert curve.mean(LENGTH_TOKENS_MAX) == pytest.approx(OUTPUT_TOKENS_ASSUMED, rel=0.01)
    left = curve.expected_total(2_000, LENGTH_TOKENS_MAX) - 2_000
    assert left == pytest.approx(OUTPUT_TOKENS_ASSUMED + 1_000, rel=0.02)


@pytest.mark.parametrize("tokens", [1, 2, 17, 1_000, 3_000_000])
def test_a_known_length_is_exact(tokens: int) -> None:
    curve = LengthCurve.exactly(tokens)
    assert curve.mean(10_000_000) == curve.quantile(0.5, 10_000_000) == tokens
    assert curve.mean(max(1, tokens - 5)) == max(1, tokens - 5)
    assert curve.expected_total(tokens - 1, 10_000_000) == tokens
    assert curve.expected_total(tokens, 10_000_000) == 2 * tokens  # told wrong


def test_an_answer_that_outlives_all_others_is_expected_to_go_on() -> None:
    curve = curve_of([(tokens, True) for tokens in range(100, 400)])
    lefts = [curve.expected_total(n, 10**6) - n for n in (500, 1_000, 4_000, 16_000)]
    assert lefts == sorted(lefts)
    assert all(left > n / 4 for left, n in zip(lefts, (500, 1_000, 4_000, 16_000), strict=True))


@given(st.lists(LENGTHS, min_size=1, max_size=5), LENGTHS)
def test_the_mean_is_that_of_what_was_seen(lengths: list[int], tokens_max: int) -> None:
    curve = curve_of([(tokens, True) for tokens in lengths] * (1_500 // len(lengths)))
    mean = sum(min(tokens, tokens_max) for tokens in lengths) / len(lengths)
    assert curve.mean(tokens_max) == pytest.approx(mean, rel=0.08)  # the width of a bucket


def test_a_narrow_length_is_learned_to_its_bucket() -> None:
    assert curve_of([(9, True)] * 2_000).mean(100) == pytest.approx(9, rel=0.05)
    assert curve_of([(1_000, True)] * 2_000).mean(4_000) == pytest.approx(1_000, rel=0.06)


def test_a_key_seen_little_leans_on_the_coarser_ones() -> None:
    book = book_of([(50, True)] * 1_000)

    def mean(tenant: str, task: str = "task", prompt_tokens: int = 100) -> float:
        return book.curve(tenant, task, "moe", prompt_tokens).mean(100_000)

    usual = mean("tenant")
    assert mean("tenant", prompt_tokens=9_000) == pytest.approx(usual, rel=0.1)  # its task
    assert mean("other") == pytest.approx(usual, rel=0.1)  # its model
    assert book.curve("other", "task", "else", 1).mean(100_000) == pytest.approx(usual, rel=0.1)
    means = []
    for _ in range(200):
        book.observe("other", "task", "moe", 100, 5_000)
        means.append(mean("other"))
    assert means[0] < 0.6 * 5_000
    assert means == sorted(means)
    assert means[-1] == pytest.approx(5_000, rel=0.1)
    assert mean("tenant") == pytest.approx(usual, rel=0.1)


def test_drift_is_followed() -> None:
    book = book_of([(100, True)] * 3_000)
    for _ in range(4 * LENGTH_HALF_LIFE):
        book.observe("tenant", "task", "moe", 100, 400)
    mean = book.curve("tenant", "task", "moe", 100).mean(100_000)
    assert mean == pytest.approx(0.94 * 400 + 0.06 * 100, rel=0.05)


def test_the_tail_stays_however_sure_the_rest_is() -> None:
    book = book_of([(LENGTH_TOKENS_MAX - 100_000, True)] * 3_000)
    book.observe("tenant", "task", "moe", 9_000, 10)
    for prompt_tokens in (100, 9_000, 1_000_000):
        curve = book.curve("tenant", "task", "moe", prompt_tokens)
        assert curve.survival[-1] > 0
        assert curve.expected_total(1_000_000, 2_000_000) > 1_000_000


def test_weights_do_not_overflow() -> None:
    random = Random(2)
    book = LengthBook()
    for _ in range(int(LENGTH_HALF_LIFE * 41)):
        book.observe("tenant", "task", "moe", 100, random.randint(1, 600))
    assert all(seen.weight < WEIGHT_MAX for seen in book._seen.values())
    curve = book.curve("tenant", "task", "moe", 100)
    assert curve.mean(1_000) == pytest.approx(300, rel=0.1)


def test_a_curve_is_kept_until_enough_is_new() -> None:
    book = book_of([(50, True)] * 1_000)
    first = book.curve("tenant", "task", "moe", 100)
    book.observe("tenant", "task", "moe", 100, 50)
    assert book.curve("tenant", "task", "moe", 100) is first
    for _ in range(200):
        book.observe("tenant", "task", "moe", 100, 50)
    assert book.curve("tenant", "task", "moe", 100) is not first


def test_a_key_that_is_only_read_follows_its_parent() -> None:
    book = LengthBook()
    book.observe("other", "task", "moe", 100, 50)
    assert book.curve("other", "task", "moe", 100).mean(100_000) < 300
    for _ in range(2_000):
        book.observe("tenant", "task", "moe", 100, 2_000)
    for _ in range(1_000):
        curve = book.curve("other", "task", "moe", 100)
    assert curve.mean(100_000) > 1_000


def test_keys_are_bounded_and_reading_makes_none() -> None:
    book = LengthBook()
    for n in range(LENGTH_KEYS_MAX):
        book.observe(f"tenant {n}", "task", "moe", 100, 50)
        book.observe("tenant", "task", "moe", 100, 5_000)
        book.curve("tenant", f"task {n}", "moe", 100)
    assert len(book) == LENGTH_KEYS_MAX
    # A tenant has two keys; the model, and all models together, one each.
    assert book.keys_dropped == 2 * (LENGTH_KEYS_MAX + 1) + 2 - LENGTH_KEYS_MAX
    used = book.curve("tenant", "task", "moe", 100).mean(100_000)
    assert used == pytest.approx(5_000, rel=0.1)


def test_an_answer_cut_off_before_its_first_token_says_nothing() -> None:
    book = LengthBook()
    book.observe("tenant", "task", "moe", 100, 0, is_complete=False)
    assert len(book) == 0


@given(SEEN)
def test_the_same_observations_give_the_same_curve(seen: list[tuple[int, bool]]) -> None:
    assert curve_of(seen) == curve_of(seen)


def azure(name: str) -> list[tuple[int, int]]:
    with (DATA / f"AzureLLMInferenceTrace_{name}.csv").open() as rows:
        return [
            (int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(rows)
        ]


def mooncake() -> list[tuple[int, int]]:
    with (DATA / "conversation_trace.jsonl").open() as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["input_length"], row["output_length"]) for row in rows]


@pytest.mark.skipif(not DATA.is_dir(), reason="the traces are not here")
@pytest.mark.parametrize("name", ["conv", "code", "mooncake"])
def test_on_a_trace_the_mean_is_right_and_no_worse_than_a_running_mean(name: str) -> None:
    trace = mooncake() if name == "mooncake" else azure(name)
    book = LengthBook()
    error = error_of_mean = off = within = 0.0
    total, count = int(OUTPUT_TOKENS_ASSUMED), 1
    for prompt_tokens, tokens in trace:
        curve = book.curve("tenant", "task", "moe", prompt_tokens)
        mean = curve.mean(100_000)
        off += mean - tokens
        error += abs(mean - tokens)
        error_of_mean += abs(total / count - tokens)
        within += tokens <= curve.quantile(0.9, 100_000)
        book.observe("tenant", "task", "moe", prompt_tokens, tokens)
        total, count = total + tokens, count + 1
    assert abs(off) <= 0.03 * total
    assert error <= 1.01 * error_of_mean
    assert within / len(trace) == pytest.approx(0.9, abs=0.02)
