"""The factors of the roofline as they were fitted, with the errors that the fit was left with.

The file is written by benchmarks/fits/planner_fit.py and never by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from models.data_file import BadDataFile, Entry, data_path, read_entries
from models.speed.roofline import Engine, Factors

Positive = Annotated[float, Field(gt=0, lt=1e6)]

FACTOR_NAMES, ENGINE_NAMES = ([each.name for each in fields(kind)] for kind in (Factors, Engine))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far predictions may be off. ``band_pct``: the measured TPOT of a model that the fit had
    never seen lay within the predicted one divided and multiplied by ``1 + band_pct / 100``, for
    ``band_share`` of rows."""

    fitted_on: date
    source: str
    rows: int
    factors: Factors
    engines: dict[str, Engine]
    band_share: float
    tpot_band_pct: float
    ttft_band_pct: float


CALIBRATION_NAMES = [each.name for each in fields(Calibration)]


@cache
def load_calibration(path: Path | None = None) -> Calibration:
    """The one calibration of this project, or of ``path``; raises BadDataFile."""
    path = data_path("calibration.yaml") if path is None else path
    entries, problems = read_entries(path, "calibration", _CalibrationEntry)
    if not problems and len(entries) != 1:
        problems = [f"holds {len(entries)} calibrations where one is needed"]
    if not problems and "vllm" not in entries[0].engines:
        problems = ["has no engine 'vllm'"]
    if problems:
        raise BadDataFile(path, problems)
    return Calibration(**{name: getattr(entries[0], name) for name in CALIBRATION_NAMES})


def _all_factors(values: dict[str, float]) -> Factors:
    wrong = set(values) ^ set(FACTOR_NAMES)
    if wrong:
        raise ValueError(f"factors missing or unknown: {', '.join(sorted(wrong))}")
    return Factors(**values)


def _engine(values: dict[str, float]) -> Engine:
    unknown = set(values) - set(ENGINE_NAMES)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    return Engine(**values)


class _CalibrationEntry(Entry):
    fitted_on: date
    source: Annotated[str, Field(min_length=1, max_length=200)]
    rows: Annotated[int, Field(gt=0)]
    band_share: Annotated[float, Field(gt=0, lt=1)]
    tpot_band_pct: Positive
    ttft_band_pct: Positive
    factors: Annotated[dict[str, Positive], AfterValidator(_all_factors)]
    engines: dict[str, Annotated[dict[str, Positive], AfterValidator(_engine)]]
