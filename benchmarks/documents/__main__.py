"""Writes README.md's blocks and docs/: ``python -m benchmarks.documents``, or ``make docs``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from benchmarks.documents.blocks import BadBlocks
from benchmarks.documents.results import BadResult
from benchmarks.documents.site import generated, stale, write

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m benchmarks.documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the repository")
    options = parser.parse_args(argv)
    try:
        found = (
            stale(options.root, generated(options.root)) if options.check else write(options.root)
        )
    except (BadBlocks, BadResult) as error:
        print(error, file=sys.stderr)
        return 2
    for path in found:
        print(path)
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
