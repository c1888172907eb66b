"""Writes README.md's blocks and docs/: ``python -m benchmarks.documents``, or ``make docs``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from benchmarks.documents.blocks import BadBlocks
from benchmarks.documents.command import run
from benchmarks.documents.generated_files import generated, stale, write
from benchmarks.documents.results import BadResult


def main(argv: Sequence[str] | None = None) -> int:
    return run(
        argv,
        ArgumentParser(prog="python -m benchmarks.documents", description=__doc__),
        stale=lambda root: stale(root, generated(root)),
        write=write,
        refused=(BadBlocks, BadResult),
    )


if __name__ == "__main__":
    sys.exit(main())
