"""Writes docs/config.md, docs/metrics.md and the tables of docs/api.md: a part of ``make docs``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from benchmarks.documents.blocks import BadBlocks
from cluster.reference.meaning import NoMeaning
from cluster.reference.site import generated, stale, write

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m cluster.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the repository")
    options = parser.parse_args(argv)
    try:
        found = (
            stale(options.root, generated(options.root)) if options.check else write(options.root)
        )
    except (BadBlocks, NoMeaning) as error:
        print(error, file=sys.stderr)
        return 2
    for path in found:
        print(path)
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
