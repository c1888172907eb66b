"""The result file of ``benchmarks.studies.two_pools``. A bound takes most of the time and depends
on the requests and the engines alone, so it is found again by their digest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.rig.provenance import command_line, provenance
from benchmarks.simulation.pools import SimPool
from benchmarks.simulation.workload import Workload

Cell: TypeAlias = dict[str, Any]
DIGEST_CHARS = 16


def digest_of(workload: Workload, pools: Sequence[SimPool]) -> str:
    """A mark of all that decides the bound."""
    text = sha256()
    for each in (*workload.requests, *workload.offers, *pools, workload.block_tokens):
        text.update(repr(each).encode())
    return text.hexdigest()[:DIGEST_CHARS]


def read(path: Path) -> dict[str, Cell]:
    """The cells of a file that was written before, by their digest."""
    if not path.exists():
        return {}
    return {cell["digest"]: cell for cell in json.loads(path.read_text())["cells"]}


def write(path: Path, cells: Sequence[Cell]) -> None:
    document = {
        "provenance": provenance(),
        "command": command_line("benchmarks.studies.two_pools"),
        "cells": sorted(cells, key=lambda c: (c["full"], c["load"], c["other_load"], c["seed"])),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
