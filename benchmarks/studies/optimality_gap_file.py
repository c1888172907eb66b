"""The result file of ``benchmarks.studies.optimality_gap``: a cell that is measured anew takes its
old one's place, and the others stay, each with the day that it is of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rig.provenance import provenance
from benchmarks.studies.optimality_gap_tasks import TRACES


def write(path: Path, cells: Sequence[Mapping[str, Any]], processes: int) -> None:
    """``cells`` are those of this run. A file that is no such result is replaced."""
    source = provenance()
    found = {_key(cell): dict(cell) for cell in _before(path)}
    found |= {_key(cell): {**cell, "date": source["date"]} for cell in cells}
    traces = list(TRACES)
    ordered = sorted(found, key=lambda key: (traces.index(key[0]), key[1]))
    document = {
        "provenance": source,
        "processes": processes,
        "cells": [found[key] for key in ordered],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _before(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_text())
        date = document["provenance"]["date"]
        cells = [{"date": date, **cell} for cell in document["cells"]]
        return [cell for cell in cells if cell["trace"] in TRACES and float(cell["load"]) > 0]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _key(cell: Mapping[str, Any]) -> tuple[str, float]:
    return cell["trace"], cell["load"]
