"""What a study says: its progress on stderr, its tables on stdout, its result in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

COLUMNS = 100  # of the tables in a file
EXIT_INCOMPLETE = 1

note = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def table_console(columns: int = COLUMNS) -> Console:
    """A console for tables; a terminal has a width of its own."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else columns)


def keep(document: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
    note.print(f"result in {file}")
