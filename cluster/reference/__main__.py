"""Writes docs/config.md, docs/metrics.md and the tables of docs/api.md: a part of ``make docs``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from benchmarks.documents.blocks import BadBlocks
from benchmarks.documents.command import changed, run
from cluster.enum_comments import NoMeaning
from cluster.reference.generated_files import generated, write


def main(argv: Sequence[str] | None = None) -> int:
    return run(
        argv,
        ArgumentParser(prog="python -m cluster.reference", description=__doc__),
        stale=lambda root: changed(root, generated(root)),
        write=write,
        refused=(BadBlocks, NoMeaning),
    )


if __name__ == "__main__":
    sys.exit(main())
