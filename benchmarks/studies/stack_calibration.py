"""What a replica of the running stack costs per step, and what lies outside of steps.

Measured under load on all replicas at once, purchases included, since all of it shares the cores.
The load is a ramp, so that every batch size is passed. Its top is near the rate that is then
replayed: far above it, clients and provider take more of the cores than they will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.rig.common import BenchmarkError
from benchmarks.rig.open_loop import Answer, OpenLoop, Seen, run_apart
from benchmarks.rig.stack import Stack
from benchmarks.rig.stand_in import limits
from benchmarks.rig.step_fit import StepFit, as_profile, fit_steps
from benchmarks.rig.step_samples import step_samples
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.traces import TraceRow
from benchmarks.studies.trace_slice import asks, ramp
from scheduler.decision import Reason

RAMP_S = 40.0
WARM_UP_TOP_PER_S = 45.0  # nothing is known of the machine yet
HELD = Reason.HELD.value


@dataclass(frozen=True, slots=True)
class StackCalibration:
    profile: Profile
    fit: StepFit
    samples: int
    outside_ms: float  # of a first token from here: beyond being held, and steps
    offer_ttft_ms: int

    def as_json(self) -> dict[str, Any]:
        fit = asdict(self.fit)
        del fit["errors"]
        return {
            "samples": self.samples,
            "outside_ms": self.outside_ms,
            "offer_ttft_ms": self.offer_ttft_ms,
            "error_pct": self.fit.error_pct,
            "outliers": self.fit.outliers,
            **fit,
        }

    def __str__(self) -> str:
        fit = self.fit
        return (
            f"{self.samples} samples: {fit.step_fixed_s * 1e3:.1f} ms a step, "
            f"{fit.step_request_s * 1e3:.2f} a request, {fit.step_kv_token_s * 1e6:.2f} a "
            f"thousand tokens held, {self.profile.prefill_tok_s:.0f} tok/s of prompts, within "
            f"{fit.error_pct:.0f} %; {self.outside_ms:.0f} ms outside of steps, "
            f"{self.offer_ttft_ms} ms at the provider"
        )


def calibrate(ramps: Sequence[Seen], engines: int) -> StackCalibration:
    """Raises BenchmarkError, CalibrationError."""
    samples = [
        sample
        for seen in ramps
        for engine in range(engines)
        for sample in step_samples(seen.of_engine(engine))
    ]
    answers = [answer for seen in ramps for answer in seen.answers]
    fit = fit_steps(samples)
    source = f"{len(samples)} windows of load reports of {engines} replicas at work"
    profile = as_profile(fit, limits(), name="tiny-moe", source=source)
    step_s = median(sample.step_s for sample in samples)
    return StackCalibration(
        profile,
        fit,
        len(samples),
        outside_ms(answers, profile, step_s),
        offer_ttft_ms(answers),
    )


def play_ramp(
    stack: Stack, rows: Sequence[TraceRow], ttft_budget_ms: int, top_per_s: float, seed: int
) -> Seen:
    """Plays one ramp, which takes ``RAMP_S``. It is a warm-up by itself: cold engines compile,
    which tells nothing of later."""
    rising = asks(ramp(rows, top_per_s, RAMP_S), ttft_budget_ms)
    return run_apart(OpenLoop((stack.endpoint,), stack.engines, rising, seed))


def outside_ms(answers: Sequence[Answer], profile: Profile, step_s: float) -> float:
    """The median of what a first token took beyond its prefill, its step, and half of the one
    that was under way. Of those that were held: every replica was full then."""
    beyond = [
        each.ttft_ms
        - each.held_ms
        - 1000 * (1.5 * step_s + each.ask.prompt_tokens / profile.prefill_tok_s)
        for each in answers
        if each.is_local and each.reason == HELD
    ]
    if not beyond:
        raise BenchmarkError("the ramp did not make anything wait: raise its top")
    return max(0.0, median(beyond))


def offer_ttft_ms(answers: Sequence[Answer]) -> int:
    bought = [each.ttft_ms - each.held_ms for each in answers if each.is_bought]
    if not bought:
        raise BenchmarkError("the ramp did not make anything be bought: raise its top")
    return max(1, round(median(bought)))
