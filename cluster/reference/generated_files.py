"""The whole of what is read off the code: two pages, and the tables of headers in a third."""

from __future__ import annotations

from pathlib import Path

from benchmarks.documents.blocks import filled
from benchmarks.documents.command import changed
from benchmarks.documents.markdown import paragraphs
from cluster.reference import config_page, header_tables, metrics_page

MARK = "<!-- written by make docs from the code: change what stands there -->"
API = "docs/api.md"


def generated(root: Path) -> dict[str, str]:
    """Every file by its path below ``root``; raises NoMeaning and BadBlocks."""
    pages = {"docs/config.md": config_page.page(), "docs/metrics.md": metrics_page.page()}
    files = {path: f"{paragraphs(MARK, text)}\n" for path, text in pages.items()}
    by_hand = (root / API).read_text(encoding="utf-8")
    return files | {API: filled(by_hand, header_tables.blocks())}


def write(root: Path) -> list[str]:
    """Writes what is stale; these are the paths."""
    files = generated(root)
    found = changed(root, files)
    for path in found:
        (root / path).write_text(files[path], encoding="utf-8")
    return found
