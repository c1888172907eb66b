"""What a process and its children wrote to standard error, where that goes into a file.

Ray gives each replica a log file of its own; the engine processes write into their replica's.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

STDERR = Path("/proc/self/fd/2")
TAIL_BYTES_MAX = 64 * 1024
LINE_CHARS_MAX = 300


class OwnLog:
    """Counts from its creation on: what an earlier start wrote is not a cause of this one's end."""

    def __init__(self, stderr: Path = STDERR) -> None:
        self.path: Path | None = None
        self._begin = 0
        try:
            if stat.S_ISREG(stderr.stat().st_mode):
                self.path = Path(os.readlink(stderr)) if stderr.is_symlink() else stderr
                self._begin = self.path.stat().st_size
        except OSError:
            self.path = None

    def lines(self) -> list[str]:
        """The last of what was written, without empty lines; [] where it goes to no file."""
        return [] if self.path is None else last_lines(self.path, self._begin)


def last_lines(path: Path, begin: int = 0) -> list[str]:
    """The last lines of the file's last 64 KiB, from byte ``begin`` on; [] if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - TAIL_BYTES_MAX))
            text = file.read(TAIL_BYTES_MAX).decode(errors="replace")
    except OSError:
        return []
    return [line.rstrip()[:LINE_CHARS_MAX] for line in text.splitlines() if line.strip()]
