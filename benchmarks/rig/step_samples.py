"""Steps of a real engine, from the totals in its load reports.

Samples hold equally many steps, not equal times: of equal times, slow steps fill more, and the mean
of the samples would be slower than the engine is.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from benchmarks.rig.open_loop import Sighting
from benchmarks.rig.step_fit import StepSample

STEPS_PER_SAMPLE = 50


def step_samples(sightings: Sequence[Sighting]) -> list[StepSample]:
    """One per window of one engine's reports, in order; what is left at the end is none."""
    found, window = [], list(sightings[:1])
    for each in sightings[1:]:
        window.append(each)
        if each.report.steps - window[0].report.steps >= STEPS_PER_SAMPLE:
            found.append(_sample(window))
            window = [each]
    return found


def busy_s(sightings: Sequence[Sighting], end_s: float) -> float:
    """Seconds in steps from the first sighting to the last one that came before ``end_s``."""
    within = [each.report.busy_s for each in sightings if each.at_s <= end_s]
    return within[-1] - within[0] if within else 0.0


def _sample(window: Sequence[Sighting]) -> StepSample:
    first, last = window[0].report, window[-1].report
    steps = last.steps - first.steps
    return StepSample(
        running=(last.decoded_tokens - first.decoded_tokens) / steps,
        kv_tokens=fmean(each.report.kv_tokens_used for each in window[1:]),
        prefill_tokens=(last.prefilled_tokens - first.prefilled_tokens) / steps,
        step_s=(last.busy_s - first.busy_s) / steps,
    )
