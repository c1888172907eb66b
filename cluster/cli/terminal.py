"""What commands print with: documents for people on stdout, and notes on stderr.

Names come from elsewhere: a configuration, a client's headers, another server's errors. They are
shown as they are written. Brackets are no markup here, colons no emoji, and a control character,
which could move the cursor or colour the rest, is spelt out.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from rich.console import Console
from rich.text import Text

from runtime.errors import BaseloadError
from runtime.start_failed import StartFailed

EXIT_REFUSED = 2
PAGE_COLUMNS = 110  # where stdout is no terminal

_SPELT_OUT = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"
}


def visible(text: str) -> str:
    """The text without a character that a terminal would act on, but for tabs and line ends."""
    return text.translate(_SPELT_OUT)


class Plain(Console):
    """A console for text that means nothing but itself, in tables too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)


note = Plain(stderr=True, soft_wrap=True)


def page(columns: int = PAGE_COLUMNS) -> Console:
    """A page for stdout: as wide as the terminal, and ``columns`` where it is none."""
    return Plain(width=None if sys.stdout.isatty() else columns)


def refuse(error: BaseloadError) -> NoReturn:
    """Ends the command: a refusal is one line on stderr, with the log that there is of a start."""
    note.print(f"baseload: {error.message}", style="red")
    if isinstance(error, StartFailed):
        for line in error.log_lines():
            note.print(line)
    raise SystemExit(EXIT_REFUSED)
