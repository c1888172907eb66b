from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rig.step_fit import (
    SAMPLES_MIN,
    CalibrationError,
    StepFit,
    StepSample,
    as_profile,
    fit_steps,
    left_out_errors,
)
from scheduler.replica import EngineLimits

LIMITS = EngineLimits(
    kv_tokens_max=500_000,
    context_tokens_max=131_072,
    max_num_seqs=64,
    max_num_batched_tokens=8192,
)
TRUE = StepFit(
    step_fixed_s=0.009,
    step_request_s=3e-4,
    step_kv_token_s=1.5e-8,
    prefill_token_s=5e-5,
    outside_s=0.0,
    errors=(),
)


def samples(
    truth: StepFit = TRUE, noise: Callable[[], float] = lambda: 1.0, count: int = 60
) -> list[StepSample]:
    """Loads all over the range, each taking what ``truth`` says times ``noise``."""
    random = Random(0)
    found = []
    for i in range(count):
        running, mean_tokens = random.randint(1, 64), random.randint(100, 8000)
        prefill = random.randint(1, 8192) if i % 3 == 0 else 0
        kv_tokens, at_client = running * mean_tokens, i % 6 == 0
        step_s = truth.step_s(running, kv_tokens, prefill) + at_client * truth.outside_s
        found.append(StepSample(running, kv_tokens, prefill, step_s * noise(), at_client))
    return found


def costs(fit: StepFit) -> tuple[float, ...]:
    return (
        fit.step_fixed_s,
        fit.step_request_s,
        fit.step_kv_token_s,
        fit.prefill_token_s,
        fit.outside_s,
    )


@given(
    st.builds(
        StepFit,
        step_fixed_s=st.floats(1e-3, 0.1),
        step_request_s=st.floats(1e-5, 1e-2),
        step_kv_token_s=st.floats(1e-9, 1e-6),
        prefill_token_s=st.floats(1e-6, 1e-3),
        outside_s=st.floats(0, 1),
        errors=st.just(()),
    )
)
def test_known_costs_are_found(truth: StepFit) -> None:
    fit = fit_steps(samples(truth))
    assert costs(fit) == pytest.approx(costs(truth), rel=1e-3, abs=1e-9)
    assert fit.outliers == 0
    assert fit.error_pct < 0.01


def test_noise_does_not_lean_to_one_side() -> None:
    random = Random(1)
    fit = fit_steps(samples(noise=lambda: random.lognormvariate(-0.02, 0.2), count=2000))
    assert fit.step_fixed_s + 32 * fit.step_request_s == pytest.approx(0.0186, rel=0.05)
    assert 1 / fit.prefill_token_s == pytest.approx(20_000, rel=0.05)
    assert 20 < fit.error_pct < 50


def test_a_stall_is_left_out_and_named() -> None:
    measured = samples()
    measured[7] = replace(measured[7], step_s=measured[7].step_s * 20)
    measured[8] = replace(measured[8], step_s=measured[8].step_s / 1000)  # a wrong unit
    fit = fit_steps(measured)
    assert [i for i, error in enumerate(fit.errors) if error is None] == [7, 8]
    assert costs(fit) == pytest.approx(costs(TRUE), rel=1e-3, abs=1e-9)


def test_samples_that_follow_no_step_model_keep_their_error() -> None:
    random = Random(2)
    fit = fit_steps(samples(noise=lambda: random.choice((0.1, 1.0, 10.0))))
    assert fit.outliers <= 6
    assert fit.error_pct > 50


def test_no_cost_is_negative() -> None:
    # The more tokens held, the shorter the step: nothing an engine does.
    measured = [replace(sample, step_s=0.05 / (1 + sample.kv_tokens)) for sample in samples()]
    assert min(costs(fit_steps(measured))) >= 0


def test_a_sample_left_out_is_predicted_by_the_others() -> None:
    measured = samples()
    measured[5] = replace(measured[5], step_s=measured[5].step_s * 1.15)
    errors = left_out_errors(measured)
    assert errors[5] == pytest.approx(1 / 1.15 - 1, abs=1e-4)
    assert abs(errors[5]) > abs(fit_steps(measured).errors[5] or 0)


def test_a_profile_has_the_fitted_costs_and_the_engines_limits() -> None:
    profile = as_profile(fit_steps(samples()), LIMITS, name="tiny", source="a test")
    assert profile.prefill_tok_s == pytest.approx(20_000, rel=1e-3)
    assert profile.step_kv_token_s == pytest.approx(1.5e-8, rel=1e-3)
    assert (profile.kv_tokens_max, profile.running_max) == (500_000, 64)
    assert (profile.name, profile.source) == ("tiny", "a test")


@pytest.mark.parametrize(
    "load",
    [
        (1.0, 10.0, 0.0, 0.0),
        (1.0, 10.0, 0.0, float("nan")),
        (1.0, 10.0, 0.0, float("inf")),
        (-1.0, 10.0, 0.0, 0.01),
        (1.0, float("nan"), 0.0, 0.01),
    ],
)
def test_an_impossible_sample_is_refused(load: tuple[float, float, float, float]) -> None:
    with pytest.raises(CalibrationError):
        StepSample(*load)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(CalibrationError, match="too few"):
        fit_steps(samples(count=SAMPLES_MIN - 1))


def test_a_profile_needs_a_cost_of_prefill() -> None:
    decodes = [sample for sample in samples() if not sample.prefill_tokens]
    with pytest.raises(CalibrationError, match="prefill"):
        as_profile(fit_steps(decodes), LIMITS, name="tiny", source="a test")
