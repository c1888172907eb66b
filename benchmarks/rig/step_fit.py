"""A replica's step model from what was measured on it: least squares with no negative cost.

Errors count relative to the step, so that a step of 8 ms matters as much as one of 60 ms. A
sample far from what the others say is a fault of its measurement (a stall, a wrong unit) and is
left out, up to a limit: beyond it the samples do not follow a step model, and the fit's error
says so. Nothing here knows where samples come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from benchmarks.simulation.profile import Profile
from scheduler.replica import EngineLimits

SAMPLES_MIN = 5  # one more than the model has costs
FIT_ROUNDS = 20
WEIGHT_SPREAD_MAX = 10.0  # how far a prediction may be below the measurement in a weight
OUTLIER_ERROR = 0.2  # relative; nearer than this is never an outlier
OUTLIER_SPREADS = 5.0  # times the median error
OUTLIER_SHARE_MAX = 0.1  # of the samples
ERROR_PERCENTILE = 90.0

Array = NDArray[np.float64]


class CalibrationError(ValueError):
    """Samples that no step model can be read from."""


@dataclass(frozen=True, slots=True)
class StepSample:
    """The mean of one or more engine steps; which ones, is the measurer's choice.

    In each of them ``running`` requests that held ``kv_tokens`` got a token, and
    ``prefill_tokens`` of prompts were taken in. A decode step as an engine reports it has no
    prefill tokens. The time to first token of a lone prompt that fits into one step is a sample
    of its length with nothing running. ``at_client`` says that ``step_s`` was seen from outside:
    it includes a constant for all that is not a step, which is fitted and kept apart.
    """

    running: float
    kv_tokens: float
    prefill_tokens: float
    step_s: float
    at_client: bool = False

    def __post_init__(self) -> None:
        load = (self.running, self.kv_tokens, self.prefill_tokens)
        if not all(isfinite(value) and value >= 0 for value in load):
            raise CalibrationError(f"a load must be a number from 0 up: {self}")
        if not (isfinite(self.step_s) and self.step_s > 0):
            raise CalibrationError(f"a step must take time: {self}")


@dataclass(frozen=True, slots=True)
class StepFit:
    """What each part of a step costs, and how well that explains the samples."""

    step_fixed_s: float
    step_request_s: float
    step_kv_token_s: float
    prefill_token_s: float
    outside_s: float  # seen by clients only
    errors: tuple[float | None, ...]  # predicted / measured - 1, by sample; None: left out

    def step_s(self, running: float, kv_tokens: float, prefill_tokens: float) -> float:
        return (
            self.step_fixed_s
            + running * self.step_request_s
            + kv_tokens * self.step_kv_token_s
            + prefill_tokens * self.prefill_token_s
        )

    @property
    def error_pct(self) -> float:
        """The error that nine in ten of the samples used stay within."""
        return percentile_pct([error for error in self.errors if error is not None])

    @property
    def outliers(self) -> int:
        return sum(error is None for error in self.errors)


def as_profile(fit: StepFit, limits: EngineLimits, *, name: str, source: str) -> Profile:
    """The profile of a replica with those steps; raises CalibrationError."""
    if fit.prefill_token_s <= 0:
        raise CalibrationError("the samples show no cost of prefill: add some that take in prompts")
    return Profile(
        name=name,
        source=source,
        prefill_tok_s=1 / fit.prefill_token_s,
        step_fixed_s=fit.step_fixed_s,
        step_request_s=fit.step_request_s,
        step_kv_token_s=fit.step_kv_token_s,
        kv_tokens_max=limits.kv_tokens_max,
        running_max=limits.max_num_seqs,
        batched_tokens_max=limits.max_num_batched_tokens,
        context_tokens_max=limits.context_tokens_max,
    )


def fit_steps(samples: Sequence[StepSample]) -> StepFit:
    if len(samples) < SAMPLES_MIN:
        raise CalibrationError(f"{len(samples)} samples are too few: {SAMPLES_MIN} at least")
    parts, measured = _parts(samples), np.array([sample.step_s for sample in samples])
    used = np.ones(len(samples), dtype=bool)
    costs = _costs(parts, measured)
    for _ in range(int(OUTLIER_SHARE_MAX * len(samples))):
        errors = np.where(used, _distances(parts @ costs, measured), 0.0)
        far = max(OUTLIER_ERROR, OUTLIER_SPREADS * float(np.median(errors[used])))
        if errors.max() <= far:
            break
        used[errors.argmax()] = False
        costs = _costs(parts[used], measured[used])
    errors = parts @ costs / measured - 1
    kept = tuple(float(e) if use else None for e, use in zip(errors, used, strict=True))
    fixed_s, request_s, kv_token_s, prefill_token_s, outside_s = map(float, costs)
    return StepFit(fixed_s, request_s, kv_token_s, prefill_token_s, outside_s, kept)


def left_out_errors(samples: Sequence[StepSample]) -> list[float]:
    """How far each sample is from what a fit to all the others predicts, relative."""
    parts, measured = _parts(samples), np.array([sample.step_s for sample in samples])
    errors = []
    for i in range(len(samples)):
        others = np.arange(len(samples)) != i
        predicted = parts[i] @ _costs(parts[others], measured[others])
        errors.append(float(predicted / measured[i] - 1))
    return errors


def percentile_pct(errors: Sequence[float]) -> float:
    return float(np.percentile(np.abs(errors), ERROR_PERCENTILE)) * 100


def _parts(samples: Sequence[StepSample]) -> Array:
    """What each step is made of; one column per cost, in the order of StepFit."""
    return np.array(
        [[1.0, s.running, s.kv_tokens, s.prefill_tokens, s.at_client] for s in samples], dtype=float
    )


def _costs(parts: Array, measured: Array) -> Array:
    """Weighted by prediction: weights of the measurements themselves favour the ones too low."""
    expected = measured
    for _ in range(FIT_ROUNDS):
        weighted = parts / expected[:, None]
        scale = weighted.max(axis=0)  # a cost per KV token is 1e-6 of one per step
        scale[scale == 0] = 1.0
        costs = nnls(weighted / scale, measured / expected)[0] / scale
        expected = np.maximum(parts @ costs, measured / WEIGHT_SPREAD_MAX)
    return np.asarray(costs, dtype=np.float64)


def _distances(predicted: Array, measured: Array) -> Array:
    """The relative error that is the same for twice as much and half as much."""
    ratio = np.maximum(predicted, measured / WEIGHT_SPREAD_MAX) / measured
    return np.asarray(np.maximum(ratio, 1 / ratio) - 1, dtype=np.float64)
