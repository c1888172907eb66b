"""What is generated is as it would be written: nobody edited it, and no result is newer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.documents.__main__ import main
from benchmarks.documents.command import ROOT
from benchmarks.documents.generated_files import MARK, README, generated, stale, write
from benchmarks.documents.results import FOLDER
from benchmarks.documents.section import PLOTS

LINK = re.compile(r"\]\(([^)#]+)\)")


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return generated(ROOT)


def test_nothing_was_edited_by_hand(files: dict[str, str]) -> None:
    assert stale(ROOT, files) == [], "run make docs"


def test_every_link_leads_somewhere(files: dict[str, str]) -> None:
    by_hand = (ROOT / "docs").glob("*.md")
    pages = [ROOT / README, *by_hand]
    assert {page.relative_to(ROOT).as_posix() for page in pages} >= {
        path for path in files if path.endswith(".md")
    }
    for page in pages:
        found = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if ":" not in link]
        assert [link for link in found if not (page.parent / link).exists()] == [], page


def test_a_plot_is_a_whole_file(files: dict[str, str]) -> None:
    plots = [text for path, text in files.items() if path.endswith(".svg")]
    assert plots
    for text in plots:
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314


def test_every_result_stands_in_the_numbers(files: dict[str, str]) -> None:
    names = [path.name for path in (ROOT / FOLDER).glob("*.json")]
    assert [
        name for name in names if f"({'../' + FOLDER}/{name})" not in files["docs/numbers.md"]
    ] == []


def test_hands_are_seen_and_undone_and_leftovers_go(
    tmp_path: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / FOLDER, tmp_path / FOLDER)
    (tmp_path / PLOTS).mkdir(parents=True)
    for path, text in files.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    readme, page = tmp_path / README, tmp_path / "docs/economics.md"
    readme.write_text(files[README].replace("**Overhead**", "**No overhead**"), encoding="utf-8")
    page.write_text(files["docs/economics.md"] + "by hand\n", encoding="utf-8")
    (tmp_path / "docs/plots/old.svg").write_text("<svg/>")
    (tmp_path / "docs/old.md").write_text(f"{MARK}\n")
    (tmp_path / "docs/mine.md").write_text("written by a person\n")
    changed = ["README.md", "docs/economics.md", "docs/old.md", "docs/plots/old.svg"]
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().out.split() == changed
    assert stale(tmp_path, files) == changed
    assert write(tmp_path) == changed
    assert stale(tmp_path, files) == []
    assert (tmp_path / "docs/mine.md").exists()
    assert not (tmp_path / "docs/plots/old.svg").exists()


def test_a_result_that_cannot_be_read_stops_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "scale.json").write_text("{")
    assert main(["--root", str(tmp_path)]) == 2
    assert "scale.json is not JSON" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()
