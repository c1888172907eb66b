from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.prompt import Prompts
from benchmarks.load.schedule import Ask
from benchmarks.rig.common import BenchmarkError
from benchmarks.rig.open_loop import (
    DIGITS,
    TEMPLATE_TOKENS,
    WORDING,
    Answer,
    Sighting,
    replica_id,
)
from benchmarks.rig.stand_in import limits
from benchmarks.rig.step_samples import STEPS_PER_SAMPLE, busy_s, step_samples
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.traces import TraceRow, read_trace
from benchmarks.studies.agreement import Figures, compare, real_figures
from benchmarks.studies.stack_calibration import offer_ttft_ms, outside_ms
from benchmarks.studies.trace_slice import Divisors, ramp, scaled, stretch
from scheduler.replica import LoadReport

CONV = Path(__file__).parents[4] / "shared" / "data" / "AzureLLMInferenceTrace_conv.csv"
PROFILE = Profile("p", "a test", 10_000.0, 0.004, 0.0002, 0.0, 16_384, 16, 2_048, 4_096)
REAL = Figures(1000, 0.20, 0.8, 100.0, 150.0, 1000.0, 1900.0, 0.95)
ASK = Ask(0, 0.0, 300, 100, budget_ms=2_000)


def local(reason: str, held_ms: float, ttft_ms: float) -> Answer:
    return Answer(ASK, 0.0, 200, "local:a", reason, held_ms=held_ms, ttft_ms=ttft_ms, is_whole=True)


def bought(held_ms: float, ttft_ms: float) -> Answer:
    return replace(local("spill_latency", held_ms, ttft_ms), target="offer:stand-in/tiny-moe")


def sighting(at_s: float, steps: int, tokens: int, step_s: float) -> Sighting:
    report = LoadReport(
        8, 0, 2_000, 0, None, None, 0, 0, steps * step_s, steps, tokens, 8 * steps,
        replica_id=replica_id(0), generation=0,
    )  # fmt: skip
    return Sighting(at_s, report)


# Agreement


@pytest.mark.parametrize(
    ("name", "simulated", "holds"),
    [
        ("spilled_share", 0.299, True),
        ("spilled_share", 0.301, False),
        ("spilled_share", 0.099, False),
        ("held_p50_ms", 125.0, True),
        ("held_p50_ms", 74.0, False),
        ("ttft_p95_ms", 751.0, True),
        ("ttft_p95_ms", 1251.0, False),
        ("busy_share", 0.1, None),
    ],
)
def test_each_line_holds_within_what_is_promised(
    name: str, simulated: float, holds: bool | None
) -> None:
    figures = Figures(**(asdict(REAL) | {name: simulated}))
    lines = {line.name: line for line in compare(REAL, figures)}
    assert lines[name].holds is holds
    assert all(line.difference == 0 for other, line in lines.items() if other != name)


def test_nothing_held_agrees_only_with_nothing_held() -> None:
    real = replace(REAL, held_p50_ms=0.0)
    (same,) = (line for line in compare(real, real) if line.name == "held_p50_ms")
    (other,) = (line for line in compare(real, REAL) if line.name == "held_p50_ms")
    assert same.holds
    assert not other.holds


def test_figures_of_answers() -> None:
    answers = [local("local_fit", 0.0, 50.0), local("held", 300.0, 400.0), bought(1800.0, 1900.0)]
    found = real_figures([*answers, local("held", 100.0, 160.0)], busy_share=0.9)
    assert found == Figures(4, 0.25, 0.75, 100.0, 160.0, 400.0, 1900.0, 0.9)


def test_a_broken_answer_ends_the_comparison() -> None:
    with pytest.raises(BenchmarkError, match="1 of 2 answers failed"):
        real_figures([bought(0.0, 1.0), replace(bought(0.0, 1.0), is_whole=False)], 0.5)
    with pytest.raises(BenchmarkError, match="0 answers from here"):
        real_figures([bought(0.0, 1.0)], 0.5)


# What the stack is measured by


def test_steps_of_reports() -> None:
    count, step_s = STEPS_PER_SAMPLE, 0.01
    seen = [sighting(0.1 * n, n * count // 2, 50 * n * count, step_s) for n in range(6)]
    samples = step_samples(seen)
    assert len(samples) == 2  # of five half windows
    assert [each.running for each in samples] == [8.0, 8.0]
    assert [each.prefill_tokens for each in samples] == [100.0, 100.0]
    assert [each.step_s for each in samples] == pytest.approx([step_s, step_s])
    assert busy_s(seen, 0.25) == pytest.approx(count * step_s)
    assert busy_s([], 1.0) == 0


def test_time_outside_of_steps_is_read_off_those_that_were_held() -> None:
    prefill_ms, step_ms = 300 / 10_000 * 1000, 10.0
    answers = [local("local_fit", 0.0, 9_999.0), bought(1.0, 9_999.0)]
    answers += [local("held", 500.0, 500.0 + prefill_ms + 1.5 * step_ms + over) for over in (7, 40)]
    answers.append(local("held", 10.0, 10.0 + prefill_ms + 1.5 * step_ms + 20))
    assert outside_ms(answers, PROFILE, step_ms / 1000) == pytest.approx(20.0)
    with pytest.raises(BenchmarkError, match="raise its top"):
        outside_ms(answers[:2], PROFILE, 0.01)


def test_the_provider_is_timed_from_the_purchase() -> None:
    assert offer_ttft_ms([bought(1000.0, 1060.0), bought(0.0, 40.0), bought(5.0, 55.0)]) == 50
    with pytest.raises(BenchmarkError):
        offer_ttft_ms([local("held", 0.0, 1.0)])


# The slice

lengths = st.integers(min_value=1, max_value=20_000)


@given(st.lists(st.tuples(lengths, lengths), min_size=1, max_size=20))
def test_scaled_rows_fit_the_context_and_keep_their_order(pairs: list[tuple[int, int]]) -> None:
    rows = [TraceRow(float(at), *pair) for at, pair in enumerate(pairs)]
    cut = scaled(rows, Divisors(4, 2), 4_096)
    assert [row.at_s for row in cut] == [row.at_s for row in rows]
    for row in cut:
        assert row.prompt_tokens + row.output_tokens <= 4_096
        assert row.prompt_tokens > TEMPLATE_TOKENS
        assert row.output_tokens >= 2
    by_prompt = sorted(range(len(rows)), key=lambda at: rows[at].prompt_tokens)
    prompts = [cut[at].prompt_tokens for at in by_prompt]
    assert prompts == sorted(prompts)


def test_a_stretch_holds_the_work_of_its_time() -> None:
    rows = [TraceRow(float(at), 300, 100) for at in range(5_000)]
    part = stretch(rows, PROFILE, replicas=2, load=1.3, lasting_s=60)
    work_s = sum(PROFILE.work_s(r.prompt_tokens, r.prompt_tokens, r.output_tokens) for r in part)
    assert work_s == pytest.approx(60 * 2 * 1.3, rel=0.01)
    with pytest.raises(ValueError, match="5000 rows"):
        stretch(rows, PROFILE, replicas=2, load=1.3, lasting_s=6_000)


def test_a_ramp_ends_at_its_top_rate() -> None:
    rows = [TraceRow(0.0, 300, 100)] * 2_000
    times = [row.at_s for row in ramp(rows, 40.0, 30.0)]
    assert len(times) == 600
    assert times == sorted(times)
    assert sum(at_s >= 29 for at_s in times) == pytest.approx(40, abs=2)
    assert sum(at_s < 15 for at_s in times) == pytest.approx(150, abs=2)


def test_a_prompt_is_as_long_as_asked_and_never_the_same() -> None:
    prompts = Prompts(WORDING, 1, 0)
    one, other = (prompts.text(replace(ASK, number=number)) for number in (1, 2))
    assert one != other
    assert len(one) == len(other) == ASK.prompt_tokens - TEMPLATE_TOKENS
    assert set(one) <= set(DIGITS)
    assert one == Prompts(WORDING, 1, 0).text(replace(ASK, number=1))


def test_the_trace_fits_the_profile() -> None:
    if not CONV.is_file():
        pytest.skip(f"there is no {CONV}")
    rows = scaled(read_trace(CONV, "azure"), Divisors(4, 2), limits().context_tokens_max)
    part = stretch(rows, PROFILE, replicas=2, load=1.3, lasting_s=90)
    assert 1_000 < len(part) < len(rows) / 2
