"""A stretch of a public trace, cut down to what the tiny model can hold.

Lengths are divided, so that long and short keep their proportion, and what is still too long is
clipped. Times are left alone: the workload brings them to its load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.load.schedule import Ask
from benchmarks.rig.open_loop import TEMPLATE_TOKENS
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.traces import TraceRow
from benchmarks.simulation.workload import Request

PROMPT_TOKENS_MIN = TEMPLATE_TOKENS + 1
OUTPUT_TOKENS_MIN = 2
PROMPT_SHARE_MAX = 0.75  # of the context; the rest is for the answer


@dataclass(frozen=True, slots=True)
class Divisors:
    prompt: float
    output: float


def scaled(rows: Sequence[TraceRow], divisors: Divisors, context_tokens_max: int) -> list[TraceRow]:
    prompt_max = int(context_tokens_max * PROMPT_SHARE_MAX)
    output_max = context_tokens_max - prompt_max
    return [
        TraceRow(
            row.at_s,
            min(prompt_max, max(PROMPT_TOKENS_MIN, round(row.prompt_tokens / divisors.prompt))),
            min(output_max, max(OUTPUT_TOKENS_MIN, round(row.output_tokens / divisors.output))),
        )
        for row in rows
    ]


def stretch(
    rows: Sequence[TraceRow], profile: Profile, *, replicas: int, load: float, lasting_s: float
) -> list[TraceRow]:
    """The first rows, as many as last ``lasting_s`` at that load."""
    mean_work_s = fmean(
        profile.work_s(row.prompt_tokens, row.prompt_tokens, row.output_tokens) for row in rows
    )
    count = round(lasting_s * load * replicas / mean_work_s)
    if count > len(rows):
        raise ValueError(f"the trace has {len(rows)} rows, {count} are needed")
    return list(rows[:count])


def ramp(rows: Sequence[TraceRow], top_per_s: float, lasting_s: float) -> list[TraceRow]:
    """The first rows at evenly rising rates, from 0 to ``top_per_s``: every load is passed."""
    count = min(len(rows), int(top_per_s * lasting_s / 2))
    return [
        TraceRow(lasting_s * (number / count) ** 0.5, row.prompt_tokens, row.output_tokens)
        for number, row in enumerate(rows[:count])
    ]


def asks(requests: Sequence[Request | TraceRow], budget_ms: int) -> tuple[Ask, ...]:
    return tuple(
        Ask(number, each.at_s, each.prompt_tokens, each.output_tokens, budget_ms=budget_ms)
        for number, each in enumerate(requests)
    )
