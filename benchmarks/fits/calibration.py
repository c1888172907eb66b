"""Fits a replica profile to measured rows: `python -m benchmarks.fits.calibration --help`.

A row is a closed loop: that many clients, each with one request at a time. Its time per output
token already holds the prompts of the others, so each row is one sample of a mean step, and
Little's law says how many requests decode in it. Times to first token are no samples: clients
that start together queue, even few of them, and that would read as slow prefill. The smallest
loops only say how long a first token takes outside of steps. What rows cannot tell (the KV
capacity, the engine's limits) is given with its source.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from statistics import median

from benchmarks.rig.step_fit import (
    CalibrationError,
    StepFit,
    StepSample,
    as_profile,
    fit_steps,
    left_out_errors,
    percentile_pct,
)
from benchmarks.simulation.profile import BadProfile, Profile
from scheduler.replica import EngineLimits

LENGTH_SHARE = 0.9  # mean length / nominal: both are drawn evenly from 80 to 100 % of it
AGGREGATED = "agg"  # prefill and decode on the same cards
DIGITS = 4
EXIT_REFUSED = 2
BATCHED_TOKENS_MAX = 8192  # the default of vLLM's API server on cards of 70 GiB and more
BATCHED_HELP = "tokens of one step (default: %(default)s, as vLLM on cards of 70 GiB and more)"
EXAMPLE = """example:
  python -m benchmarks.fits.calibration --rows measured_h100_h200_sample.csv \\
      --model moonshotai/Kimi-K2.5 --engine-version 0.16.0 --cards 8 \\
      --kv-tokens-max 715072 --context-tokens-max 262144 \\
      --limits-source "engine log; config.json" --out h200.json
"""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One closed loop as measured; the median where it was measured more than once."""

    prompt_tokens: int  # nominal
    output_tokens: int  # nominal
    concurrency: int
    ttft_s: float
    tpot_s: float

    def __post_init__(self) -> None:
        lengths = self.prompt_tokens >= 1 and self.output_tokens >= 2 and self.concurrency >= 1
        if not (lengths and 0 < self.ttft_s < inf and 0 < self.tpot_s < inf):
            raise CalibrationError(f"not a closed loop that was measured: {self}")

    @property
    def name(self) -> str:
        return f"{self.prompt_tokens}/{self.output_tokens} at {self.concurrency}"

    def step(self) -> StepSample:
        """A step of one request's decoding, which never takes in its own prompt."""
        others = (self.concurrency - 1) * self._decode_s / (self.ttft_s + self._decode_s)
        running = 1 + others
        held = running * (self._prompt + self._steps / 2)
        return StepSample(running, held, others * self._prompt / self._steps, self.tpot_s)

    def outside_s(self, fit: StepFit) -> float:
        """What the time to first token has beyond one step with the prompt and the others."""
        beside = self.step()
        others = beside.running - 1
        held = beside.kv_tokens * others / beside.running
        step_s = fit.step_s(others, held, self._prompt)
        return max(0.0, self.ttft_s - step_s)

    @property
    def _prompt(self) -> float:
        return LENGTH_SHARE * self.prompt_tokens

    @property
    def _steps(self) -> float:
        """The first token comes with the prompt."""
        return LENGTH_SHARE * self.output_tokens - 1

    @property
    def _decode_s(self) -> float:
        return self._steps * self.tpot_s


@dataclass(frozen=True, slots=True)
class Calibration:
    """A profile, and how far it is from what it was read from."""

    profile: Profile
    fit: StepFit
    errors: dict[str, float | None]  # relative, by point; None: an outlier, left out
    error_left_out_pct: float
    outside_steps_s: float  # of a first token, at most: some of it may be queueing


@dataclass(frozen=True, slots=True)
class Layout:
    """Which rows belong together: one model on one engine, on as many cards."""

    system: str
    model: str
    engine: str
    engine_version: str
    cards: int

    def has(self, row: dict[str, str]) -> bool:
        wanted = {
            "mode": AGGREGATED,
            "system": self.system,
            "model_path": self.model,
            "backend": self.engine,
            "backend_version": self.engine_version,
            "tp_size": str(self.cards),
            "moe_tp_size": str(self.cards),
        }
        return all(row[column] == value for column, value in wanted.items())


def read_points(rows: Iterable[dict[str, str]], layout: Layout) -> list[Point]:
    """Every loop of ``layout`` once; the same measurement is often in several dumps."""
    found: dict[tuple[int, int, int], set[tuple[float, float]]] = {}
    for number, row in enumerate(rows, 1):
        try:
            if layout.has(row):
                loop = int(row["isl"]), int(row["osl"]), int(row["batch_size"])
                ttft_ms, tpot_ms = float(row["silicon_ttft_ms"]), float(row["silicon_tpot_ms"])
                found.setdefault(loop, set()).add((round(ttft_ms, 2), round(tpot_ms, 2)))
        except (KeyError, ValueError) as error:
            raise CalibrationError(f"row {number}: {error!r}") from None
    return sorted(
        Point(*loop, median(t for t, _ in times) / 1e3, median(t for _, t in times) / 1e3)
        for loop, times in found.items()
    )


def calibrate(
    points: Sequence[Point], limits: EngineLimits, *, name: str, source: str
) -> Calibration:
    """Fits a profile to the points. Raises CalibrationError where they cannot tell one."""
    samples = [point.step() for point in points]
    fit = fit_steps(samples)
    used = [s for s, error in zip(samples, fit.errors, strict=True) if error is not None]
    fewest = min(point.concurrency for point in points)
    smallest = [point for point in points if point.concurrency == fewest]
    return Calibration(
        profile=as_profile(fit, limits, name=name, source=source),
        fit=fit,
        errors={p.name: error for p, error in zip(points, fit.errors, strict=True)},
        error_left_out_pct=percentile_pct(left_out_errors(used)),
        outside_steps_s=median(point.outside_s(fit) for point in smallest),
    )


def document(calibration: Calibration, origin: dict[str, object]) -> dict[str, object]:
    """A profile file: the profile's fields, and where they come from."""
    profile = asdict(calibration.profile)
    rounded = {key: _digits(v) if isinstance(v, float) else v for key, v in profile.items()}
    fit = calibration.fit
    quality = {
        "outliers": fit.outliers,
        "error_pct": _digits(fit.error_pct),
        "error_left_out_pct": _digits(calibration.error_left_out_pct),
        "outside_steps_s": _digits(calibration.outside_steps_s),
        "error_pct_by_row": {
            name: None if error is None else round(error * 100, 1)
            for name, error in calibration.errors.items()
        },
    }
    return rounded | {"provenance": origin | quality}


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        content = _calibrated(args)
        args.out.write_text(json.dumps(content, indent=2) + "\n")
    except (CalibrationError, BadProfile, OSError) as error:
        print(f"not calibrated: {error}", file=sys.stderr)
        return EXIT_REFUSED
    print(json.dumps(content, indent=2))
    return 0


def _calibrated(args: argparse.Namespace) -> dict[str, object]:
    layout = Layout(args.system, args.model, args.engine, args.engine_version, args.cards)
    with args.rows.open(newline="") as file:
        points = read_points(csv.DictReader(file), layout)
    if not points:
        raise CalibrationError(f"{args.rows} has no row of {layout}")
    engine = f"{layout.engine} {layout.engine_version}"
    limits = EngineLimits(
        kv_tokens_max=args.kv_tokens_max,
        max_num_seqs=max(point.concurrency for point in points),  # beyond it nothing was measured
        max_num_batched_tokens=args.batched_tokens_max,
        context_tokens_max=args.context_tokens_max,
    )
    source = f"{len(points)} measured closed loops of {layout.model} on {engine}, {layout.system}"
    return document(
        calibrate(points, limits, name=args.out.stem, source=source),
        {
            "measured_on": layout.system,
            "engine": engine,
            "model": layout.model,
            "cards_per_replica": layout.cards,
            "data": args.data_source or args.rows.name,
            "limits": args.limits_source,
            "rows": len(points),
        },
    )


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fits.calibration",
        description="Fit a replica profile for the simulator to measured closed loops.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--rows", type=Path, required=True, help="CSV of measured rows, one closed loop each")
    add("--data-source", help="where the rows come from (default: the name of their file)")
    add("--model", required=True, help="model_path of the rows")
    add("--system", default="h200_sxm", help="system of the rows (default: %(default)s)")
    add("--engine", default="vllm", help="backend of the rows (default: %(default)s)")
    add("--engine-version", required=True, help="backend_version of the rows")
    add("--cards", type=int, required=True, help="tensor parallel size of the rows")
    add("--kv-tokens-max", type=int, required=True, help="KV capacity of one replica")
    add("--context-tokens-max", type=int, required=True, help="longest context of the model")
    add("--batched-tokens-max", type=int, default=BATCHED_TOKENS_MAX, help=BATCHED_HELP)
    add("--limits-source", required=True, help="where these three limits come from")
    add("--out", type=Path, required=True, help="JSON to write; its name is the profile's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
