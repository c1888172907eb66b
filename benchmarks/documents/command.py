"""What the two commands that write documents share: they write what is stale, or only say so."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Stale = Callable[[Path], list[str]]


def run(
    argv: Sequence[str] | None,
    parser: ArgumentParser,
    *,
    stale: Stale,
    write: Stale,
    refused: tuple[type[Exception], ...],
) -> int:
    """The exit status. ``stale`` and ``write`` take the repository's root and tell paths below it;
    ``refused`` are the errors that a person mends in the documents or their sources."""
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the repository")
    options = parser.parse_args(argv)
    try:
        found = stale(options.root) if options.check else write(options.root)
    except refused as error:
        print(error, file=sys.stderr)
        return 2
    for path in found:
        print(path)
    return 1 if options.check and found else 0


def changed(root: Path, files: Mapping[str, str]) -> list[str]:
    """Paths that are not as they would be written."""
    return sorted(path for path, text in files.items() if _content(root / path) != text)


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
