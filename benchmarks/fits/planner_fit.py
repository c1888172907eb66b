"""Calibrates the planner on measured rows, and says how far it is off on models it never saw.

``python -m benchmarks.fits.planner_fit ../shared/data`` writes models/data/calibration.yaml and
benchmarks/results/planner.json. With ``--rows FILE`` it judges the calibration that stands there
on other rows of the same format, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from math import expm1
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.fits.factor_fit import ENGINE, FACTORS, VLLM, Fitted, columns, fit, held_out
from benchmarks.fits.planner_rows import ROWS_FILE, Row, Rows, read_rows
from benchmarks.fits.planner_tables import (
    Errors,
    Predicted,
    as_json,
    errors_by_model,
    middle_and_worst,
    table,
)
from benchmarks.rig.provenance import provenance
from models.data_file import data_path
from models.speed.calibration import load_calibration

Array = NDArray[np.float64]

RESULT = Path(__file__).parents[1] / "results" / "planner.json"
SOURCE = f"{ROWS_FILE}, from ai-dynamo/aiconfigurator (Apache-2.0)"
BAND_SHARE = 0.85  # more than the 80 % that are promised: other rows are not these
FIGURES = 4  # significant, in the file


def predicted_by(fitted: Fitted, rows: Sequence[Row]) -> Predicted:
    return Predicted.of_seconds(*columns(rows).predict(fitted))


def band_pct(predicted: Array, measured: Sequence[float], share: float = BAND_SHARE) -> float:
    """The factor, less one, that ``share`` of the measured are within, up or down."""
    return expm1(float(np.quantile(_distances(predicted, measured), share))) * 100


def covered_share(predicted: Array, measured: Sequence[float], band_pct: float) -> float:
    return float(np.mean(_distances(predicted, measured) <= np.log1p(band_pct / 100)))


def _distances(predicted: Array, measured: Sequence[float]) -> Array:
    """Logarithms of the factors between them, up or down."""
    found: Array = np.abs(np.log(predicted / np.array(measured)))
    return found


def calibrate(rows: Rows) -> tuple[str, dict[str, object], dict[str, dict[str, Errors]]]:
    """The calibration file, the result with all errors, and those to show."""
    kept, doubted = list(rows.kept), list(rows.campaign)
    fitted = fit(kept)
    asked = kept + doubted
    unseen = Predicted.of_seconds(*held_out(kept, doubted))
    # The band counts rows that only their campaign speaks against: they may be right.
    tpot_band = band_pct(unseen.tpot_ms, [row.tpot_ms for row in asked])
    ttft_band = band_pct(unseen.ttft_ms, [row.ttft_ms for row in asked])
    first = unseen.of_rows(slice(len(kept)))
    seen, out = errors_by_model(kept, predicted_by(fitted, kept)), errors_by_model(kept, first)
    middle, worst = middle_and_worst(out)
    text = calibration_text(fitted, rows, tpot_band, ttft_band)
    result = provenance() | {
        "command": "python -m benchmarks.fits.planner_fit ../shared/data",
        "source": SOURCE,
        "rows": len(kept),
        "screened": dict(rows.screened),
        "parameters": fitted.parameters,
        "in_sample": as_json(seen),
        "held_out": as_json(out),
        "held_out_middle_model_tpot_pct": round(middle, 1),
        "held_out_worst_model_tpot_pct": round(worst, 1),
        "tpot_band_pct": round(tpot_band, 1),
        "ttft_band_pct": round(ttft_band, 1),
        "tpot_band_covers": covered_share(unseen.tpot_ms, [r.tpot_ms for r in asked], tpot_band),
        "groups": {name: as_json(found) for name, found in _groups(kept, first).items()},
        "with_doubted_campaigns": as_json(errors_by_model(asked, unseen)),
    }
    return text, result, {"in the fit": seen, "held out": out}


def calibration_text(fitted: Fitted, rows: Rows, tpot_band: float, ttft_band: float) -> str:
    """The YAML file, with the meaning of every factor."""
    lines = [
        "# Written by `python -m benchmarks.fits.planner_fit`: fitted to measured rows, unedited.",
        "# Errors by model, in the fit and held out, are in benchmarks/results/planner.json.",
        "calibration:",
        f"  - fitted_on: {datetime.now(UTC).date()}",
        f'    source: "{SOURCE}"',
        f"    rows: {len(rows.kept)}",
        "    # Of rows whose model was held out, this share was measured within a factor of",
        "    # 1 + band / 100 of what was predicted.",
        f"    band_share: {BAND_SHARE}",
        f"    tpot_band_pct: {tpot_band:.1f}",
        f"    ttft_band_pct: {ttft_band:.1f}",
        "    factors:",
    ]
    for name, prior in FACTORS.items():
        lines.append(f"      {name}: {_figure(getattr(fitted.factors, name))}  # {prior.meaning}")
    lines += ["    engines:", "      vllm: {}"]
    for engine, found in fitted.engines.items():
        if found != VLLM:
            lines.append(f"      {engine}:")
            lines += [
                f"        {name}: {_figure(getattr(found, name))}  # {prior.meaning}"
                for name, prior in ENGINE.items()
            ]
    return "\n".join(lines) + "\n"


def judge(rows: Rows) -> str:
    """The calibration that stands, on rows that it need not have seen."""
    standing = load_calibration()
    fitted = Fitted(standing.factors, standing.engines)
    known = [row for row in rows.kept if row.engine in standing.engines]
    found = predicted_by(fitted, known)
    covered = covered_share(found.tpot_ms, [row.tpot_ms for row in known], standing.tpot_band_pct)
    return "\n".join(
        [
            table({"calibration.yaml": errors_by_model(known, found)}),
            f"screened: {dict(rows.screened)}",
            f"within {standing.tpot_band_pct:.0f} %, the band: {covered:.0%} of {len(known)} rows",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder with the rows and hf_configs/")
    parser.add_argument("--rows", type=Path, help="judge the standing calibration on these instead")
    options = parser.parse_args()
    rows = read_rows(options.data, options.rows)
    if options.rows is not None:
        print(judge(rows))
        return
    text, result, errors = calibrate(rows)
    data_path("calibration.yaml").write_text(text)
    _keep(result)
    print(table(errors))
    figures = ("held_out_middle_model_tpot_pct", "held_out_worst_model_tpot_pct", "tpot_band_pct")
    print({name: result[name] for name in figures}, result["screened"])


def _keep(result: dict[str, object]) -> None:
    """Beside what the comparison with peers wrote there."""
    before = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    kept = {"peers": before["peers"]} if "peers" in before else {}
    RESULT.write_text(json.dumps(result | kept, indent=2) + "\n")


def _groups(rows: Sequence[Row], predicted: Predicted) -> dict[str, dict[str, Errors]]:
    """Parts of the rows that a reader may care about more than about all, held out."""
    routed = np.array([row.shape.moe is not None for row in rows])
    engines = np.array([row.engine for row in rows])
    chosen = {
        "MoE": routed,
        "MoE, vLLM and SGLang": routed & (engines != "trtllm"),
        "vLLM": engines == "vllm",
    }
    return {
        name: errors_by_model(
            [row for row, use in zip(rows, mask, strict=True) if use],
            predicted.of_rows(mask),
        )
        for name, mask in chosen.items()
    }


def _figure(value: float) -> str:
    """YAML takes an exponent for a number only after a point."""
    text = f"{value:.{FIGURES}g}"
    return text if "e" not in text or "." in text else text.replace("e", ".0e")


if __name__ == "__main__":
    main()
