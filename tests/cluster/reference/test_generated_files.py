"""What is read off the code stands on disk as it would be written: nobody edited it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from benchmarks.documents.command import ROOT, changed
from cluster.reference.__main__ import main
from cluster.reference.config_page import slug
from cluster.reference.generated_files import API, MARK, generated, write
from runtime.wire.tags import TAG_MEANINGS

LINK = re.compile(r"\]\(([\w.]*)#([\w-]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return generated(ROOT)


def test_nothing_was_edited_by_hand(files: dict[str, str]) -> None:
    assert changed(ROOT, files) == [], "run make docs"
    assert sorted(files) == ["docs/api.md", "docs/config.md", "docs/metrics.md"]


def test_every_anchor_is_a_heading(files: dict[str, str]) -> None:
    anchors = {path: {slug(each) for each in HEADING.findall(files[path])} for path in files}
    links = [
        (path, f"docs/{page}" if page else path, anchor)
        for path, text in files.items()
        for page, anchor in LINK.findall(text)
    ]
    assert len(links) > 20
    assert [link for link in links if link[1] in files and link[2] not in anchors[link[1]]] == []


def test_hands_are_seen_and_undone(
    tmp_path: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for path in files:
        page = tmp_path / path
        page.write_text(page.read_text().replace("| `", "| by hand `", 1))
    by_hand = (tmp_path / API).read_text()
    (tmp_path / API).write_text(f"{by_hand}\nA sentence of a person's.\n")
    by_us = ["docs/config.md", "docs/metrics.md"]
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().out.split() == by_us
    assert write(tmp_path) == by_us
    assert changed(tmp_path, generated(tmp_path)) == []
    assert (tmp_path / "docs/config.md").read_text().startswith(MARK)
    assert "A sentence of a person's." in (tmp_path / API).read_text()


def test_a_page_without_its_markers_stops_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / API).write_text("no block")
    assert main(["--root", str(tmp_path)]) == 2
    assert "the page has no such block" in capsys.readouterr().err
    assert not (tmp_path / "docs/config.md").exists()


def test_what_has_no_meaning_stops_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TAG_MEANINGS, "x-baseload-task", "")
    assert main(["--check"]) == 2
    assert "x-baseload-task has no meaning" in capsys.readouterr().err
