from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from benchmarks.documents.command import ROOT
from benchmarks.documents.results import read_result
from benchmarks.documents.template import section_of
from tests.benchmarks.documents.example_documents import ORIGIN, keep


def test_a_name_that_nobody_gives_is_an_error(tmp_path: Path) -> None:
    document = {"cpu_us_per_decision": [{"replicas": 10, "queued": 1_000, "cpu_us": None}]}
    result = read_result(keep(tmp_path, "scale.json", ORIGIN))
    section = section_of("scale", result=result, document=document)
    assert "| 10 | 1,000 | – |" in section.body
    with pytest.raises(UndefinedError, match="document"):
        section_of("scale", result=result)
    del document["cpu_us_per_decision"][0]["queued"]
    with pytest.raises(UndefinedError, match="queued"):
        section_of("scale", result=result, document=document)


def test_what_is_left_out_leaves_no_gap() -> None:
    given: dict[str, Any] = {"layouts": 8, "chosen": [], "cards": [], "cards_per_node": 8}
    asked = {"input_tokens": 1, "output_tokens": 1, "ttft_ms": 1, "tpot_ms": 1}
    given |= {"asked": asked, "calibration": {"tpot_band_pct": 9}}
    without = section_of("node_speed", left_out=[], **given)
    assert "\n\n\n" not in without.body
    assert without.body.endswith("| --- |")
    assert section_of("node_speed", left_out=["a", "b"], **given).body.endswith("shorter: a, b.")


def test_there_is_no_section_without_a_template() -> None:
    with pytest.raises(TemplateNotFound):
        section_of("no_such_template")


@pytest.mark.parametrize("package", ["benchmarks", "cluster"])
def test_an_installed_package_has_every_template(package: str) -> None:
    root = ROOT / package
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"][package]
    packaged = {path for pattern in patterns for path in root.glob(pattern)}
    templates = set(root.rglob("*.j2"))
    assert templates
    assert templates <= packaged
