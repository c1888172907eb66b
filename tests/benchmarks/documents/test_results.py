from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.documents.results import BadResult, read_result, read_results
from tests.benchmarks.documents.example_documents import ORIGIN, keep


@pytest.mark.parametrize(
    "document", [ORIGIN | {"command": "run me"}, {"provenance": ORIGIN, "command": "run me"}]
)
def test_the_origin_is_at_the_top_or_by_itself(tmp_path: Path, document: dict[str, Any]) -> None:
    result = read_result(keep(tmp_path, "a.json", document))
    full = result.in_full("not this")
    assert "`run me`" in full
    assert "2026-01-02 03:04 UTC" in full
    assert "A \\| CPU" in full
    assert "load average" not in full
    assert result.in_short("x") == "`x`, 2026-01-02, 2 cores (A \\| CPU), 4.0 GiB, ray 2.0"


def test_what_else_is_known_of_a_machine_is_told(tmp_path: Path) -> None:
    machine = ORIGIN["machine"] | {"gpus": "8 x H200", "load_average_1m": 0.5}
    result = read_result(keep(tmp_path, "a.json", ORIGIN | {"machine": machine}))
    assert "gpus 8 x H200" in result.in_short()
    assert "load average 0.5" in result.in_full("run")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"date": ', "not JSON"),
        ("[]", "no JSON object"),
        ("{}", "does not say when"),
        ('{"provenance": {"date": "soon", "machine": {}, "versions": {}}}', "does not say when"),
        ('{"provenance": null}', "does not say when"),
    ],
)
def test_what_is_no_result_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BadResult, match=f"a.json.*{says}"):
        list(read_results(tmp_path, "*.json"))
