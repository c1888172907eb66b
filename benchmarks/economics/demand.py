"""How much output is asked for over time: flat, a day's rise and fall, or a trace's own.

A demand is output tokens per second in steps of equal length that repeat for ever. Only its shape
and its volume matter for a bill, so it can be scaled to any monthly volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import cos, isfinite, pi
from pathlib import Path

from benchmarks.economics.cost import MTOK_PER_MONTH
from benchmarks.economics.input_checks import BadInput, above_zero, number
from benchmarks.simulation.traces import FORMAT_OF_EXTENSION, BadTrace, TraceRow, read_trace

DAY_STEPS = 96
TRACE_STEP_S = 60.0
STEPS_MAX = 10_080  # a week by the minute; a longer trace has longer steps
SPAN_S_MIN = 1.0
SHARPNESS_MAX = 1e6  # of a day's peak; a sharper one is narrower than a step
DAY_MEAN_TO_PEAK = Decimal("0.816")  # DeepSeek open-infra day 6: 226.75 of 278 nodes in use


@dataclass(frozen=True, slots=True)
class Demand:
    """``damage`` says where a trace broke off: what came before it is what is here."""

    name: str
    tok_s: tuple[float, ...]
    input_per_output: Decimal | None = None  # as a trace has it
    damage: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.tok_s) <= STEPS_MAX:
            raise BadInput(f"a demand needs 1 to {STEPS_MAX} steps, not {len(self.tok_s)}")
        if not all(isfinite(rate) and rate >= 0 for rate in self.tok_s) or not any(self.tok_s):
            raise BadInput("a demand needs rates of 0 or more, and one above 0")

    @property
    def mean_tok_s(self) -> float:
        return sum(self.tok_s) / len(self.tok_s)

    @property
    def mean_to_peak(self) -> Decimal:
        return min(Decimal(1), number("mean to peak", str(self.mean_tok_s / max(self.tok_s))))

    @property
    def mtok_per_month(self) -> Decimal:
        return Decimal(str(self.mean_tok_s)) * MTOK_PER_MONTH

    def scaled(self, mtok_per_month: Decimal) -> Demand:
        """The same shape at another volume."""
        wanted = above_zero("M tokens per month", mtok_per_month)
        factor = float(wanted / MTOK_PER_MONTH) / self.mean_tok_s
        return replace(self, tok_s=tuple(rate * factor for rate in self.tok_s))


def flat() -> Demand:
    return Demand("flat", (1.0,))


def day_curve(mean_to_peak: Decimal = DAY_MEAN_TO_PEAK) -> Demand:
    """One peak a day. Down to a half it is a sine on a base; below, a peak over idle hours."""
    target = float(mean_to_peak)
    if not 0 < target <= 1:
        raise BadInput(f"mean to peak {mean_to_peak}: must be above 0 and at most 1")
    waves = [(1 + cos(2 * pi * step / DAY_STEPS)) / 2 for step in range(DAY_STEPS)]
    if target >= 0.5:
        swing = 2 - 2 * target
        return Demand("day", tuple(1 - swing + swing * wave for wave in waves))
    sharpness = _sharpness(waves, target)
    return Demand("day", tuple(wave**sharpness for wave in waves))


def _sharpness(waves: Sequence[float], mean: float) -> float:
    """The power to which ``waves`` have this mean, by halving."""
    low, high = 1.0, SHARPNESS_MAX
    if sum(wave**high for wave in waves) / len(waves) > mean:
        raise BadInput(f"mean to peak {mean:g}: a day cannot be peakier than {1 / DAY_STEPS:.3f}")
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        above = sum(wave**middle for wave in waves) / len(waves) > mean
        low, high = (middle, high) if above else (low, middle)
    return (low + high) / 2


def trace_demand(path: Path) -> Demand:
    """The shape of a trace in steps of about a minute, with its own input per output.

    Of a trace that breaks off, what came before counts; ``damage`` then tells where.
    """
    trace_format = FORMAT_OF_EXTENSION.get(path.suffix)
    if trace_format is None:
        raise BadInput(
            f"{path}: its name does not tell its format: {' or '.join(FORMAT_OF_EXTENSION)}"
        )
    damage = None
    try:
        rows = read_trace(path, trace_format)
    except BadTrace as error:
        rows, damage = error.rows, str(error)
        if len(rows) < 2:
            raise BadInput(damage) from None
    return replace(_of_rows(path, rows), damage=damage)


def _of_rows(path: Path, rows: Sequence[TraceRow]) -> Demand:
    span_s = rows[-1].at_s
    if span_s < SPAN_S_MIN:
        raise BadInput(f"{path}: its requests span {span_s:g} s: too short to be a demand")
    steps = min(STEPS_MAX, max(1, round(span_s / TRACE_STEP_S)))
    tokens = [0] * steps
    for row in rows:
        tokens[min(steps - 1, int(row.at_s / span_s * steps))] += row.output_tokens
    prompts = sum(row.prompt_tokens for row in rows)
    return Demand(
        path.name,
        tuple(count / (span_s / steps) for count in tokens),
        input_per_output=Decimal(prompts) / sum(tokens),
    )
