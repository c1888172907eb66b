"""The whole of what is generated: pages, plots, and the blocks of the README."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.documents import economics_page, models_page, numbers_page
from benchmarks.documents.blocks import filled
from benchmarks.documents.command import changed
from benchmarks.documents.markdown import paragraphs
from benchmarks.documents.results import FOLDER
from benchmarks.documents.section import PLOTS, Section
from benchmarks.documents.template import page_of
from benchmarks.pages.drawing import as_file

README = "README.md"
DOCS = "docs"
MARK = "<!-- written by make docs: change what it is written from -->"


def generated(root: Path) -> dict[str, str]:
    """Every file by its path below ``root``; raises BadResult and BadBlocks."""
    measured = numbers_page.sections(root / FOLDER)
    money, sizes = economics_page.sections(), models_page.sections()
    pages = {
        "numbers": page_of("numbers", measured),
        "economics": page_of("economics", money),
        "models": page_of("models", sizes),
    }
    files = {f"{DOCS}/{name}.md": f"{paragraphs(MARK, text)}\n" for name, text in pages.items()}
    readme = (root / README).read_text(encoding="utf-8")
    bodies = {"numbers": numbers_page.in_short(measured), "claims": money[0].short}
    return files | {README: filled(readme, bodies)} | _plots([*measured, *money, *sizes])


def stale(root: Path, files: dict[str, str]) -> list[str]:
    """Paths that are not as they would be written, and those that nothing writes any more."""
    return sorted(changed(root, files) + [path for path in _written(root) if path not in files])


def write(root: Path) -> list[str]:
    """Writes what is stale and removes what is left over; these are the paths."""
    files = generated(root)
    found = stale(root, files)
    for path in found:
        target = root / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path], encoding="utf-8")
        else:
            target.unlink()
    return found


def _plots(sections: Iterable[Section]) -> dict[str, str]:
    return {
        f"{PLOTS}/{name}.svg": as_file(plot)
        for section in sections
        for name, plot in section.plots.items()
    }


def _written(root: Path) -> list[str]:
    pages = (root / DOCS).glob("*.md")
    ours = [path for path in pages if path.read_text(encoding="utf-8").startswith(MARK)]
    return [path.relative_to(root).as_posix() for path in [*ours, *(root / PLOTS).glob("*.svg")]]
