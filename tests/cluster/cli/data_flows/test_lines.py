"""The map as lines and as a page: what ends first, then what is refused, then all of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cluster.cli.data_flows.lines import map_lines
from cluster.cli.data_flows.page import map_page
from tests.benchmarks.pages.html_page import Page
from tests.cluster.checks.data_flows.sample import HERE, TODAY, mapped, tenant

GOLDEN = Path(__file__).with_name("golden_map.txt")


def test_the_whole_map(tmp_path: Path) -> None:
    own = {name: value for name, value in HERE.items() if name != "inference_jurisdictions"}
    found = mapped(tmp_path, own=own)
    told = GOLDEN.read_text().replace("{version}", found.version)
    assert list(map_lines(found)) == told.splitlines()


def test_nothing_to_be_done(tmp_path: Path) -> None:
    lines = list(map_lines(mapped(tmp_path, packs=(), facts={})))
    assert lines[0].endswith("laws: none: no policy pack is in force; version " + lines[0][-16:])
    assert lines[1] == "Every flow has a target, and nothing ends."
    assert "WHAT ENDS" not in lines
    assert "WHAT NOTHING MAY ANSWER" not in lines


@pytest.mark.parametrize(
    ("today", "says"),
    [
        (date(2026, 12, 19), "C-1 with stand-in/tiny-moe ends in 1 day, its last day is 2026-12"),
        (date(2026, 12, 20), "C-1 with stand-in/tiny-moe ends today, its last day is 2026-12-20"),
        (date(2026, 12, 21), "C-1 with stand-in/tiny-moe ended 1 day ago, its last day was 2026"),
    ],
)
def test_days_are_counted_as_people_count_them(tmp_path: Path, today: date, says: str) -> None:
    assert says in "\n".join(map_lines(mapped(tmp_path, today)))


def test_many_tenants_are_not_all_in_the_lines(tmp_path: Path) -> None:
    letters = "0123456789abcdef"
    tenants = {f"t{a}{b}": tenant("0", home="cn") for a in letters[:2] for b in letters}
    for name, terms in tenants.items():
        terms["key_sha256"] = [name[1:] * 32]
    text = "\n".join(map_lines(mapped(tmp_path, tenants=tenants)))
    assert "(tenants: t00, t01, t02, t03, t04, t05, t06, t07 and 24 more)" in text
    assert "  and 12 more: --json and --report have all" in text


def test_the_page_is_whole_escaped_and_loads_nothing(tmp_path: Path) -> None:
    found = mapped(tmp_path)
    text = map_page(found)
    page = Page(text)
    assert "script" not in page.tags
    assert page.uses == []
    assert "http" not in text
    assert "Abroad <Pte>" in page.text
    assert "Abroad <Pte>" not in text
    for each in ("What ends", "What may go where", "Recipients", "Records of processing", "深度"):
        assert each in page.text
    assert "What nothing may answer" not in page.text
    assert page.text.count("yes") >= sum(
        each.code == "allowed" for flow in found.flows for each in flow.verdicts
    )
    refusing = Page(map_page(mapped(tmp_path, packs=("cn-genai",), own={})))
    assert "What nothing may answer" in refusing.text


def test_today_is_told(tmp_path: Path) -> None:
    assert str(TODAY) in Page(map_page(mapped(tmp_path))).text
