from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.studies.optimality_gap_file import write


def cell(trace: str, load: float, spend_usd: float = 1.0) -> dict[str, Any]:
    return {"trace": trace, "load": load, "spend_usd": spend_usd}


def test_cells_that_are_not_measured_again_stay_with_their_day(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    old: dict[str, Any] = {"provenance": {"date": "2026-11-22T00:00:00+00:00"}, "cells": []}
    old["cells"] = [cell("mooncake", 0.9), cell("azure-conv", 3.0), cell("azure-conv", 1.5)]
    path.write_text(json.dumps(old))
    for _ in range(2):  # as after each cell of a run
        write(path, [cell("azure-conv", 1.5, 2.0), cell("azure-conv", 0.9)], 2)
    document = json.loads(path.read_text())
    today = document["provenance"]["date"]
    seen = [(each["trace"], each["load"], each["spend_usd"]) for each in document["cells"]]
    assert seen == [
        ("azure-conv", 0.9, 1.0),
        ("azure-conv", 1.5, 2.0),
        ("azure-conv", 3.0, 1.0),
        ("mooncake", 0.9, 1.0),
    ]
    days = [each["date"] == today for each in document["cells"]]
    assert days == [True, True, False, False]
    assert document["cells"][2]["date"].startswith("2026-11-22")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"provenance": {"date": ""}, "cells": [1]}'])
def test_what_is_no_result_is_replaced(text: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    write(path, [cell("mooncake", 1.1)], 1)
    assert len(json.loads(path.read_text())["cells"]) == 1
