"""A session that must not wait behind the engines: the load client's, the scripted provider's.

Where the kernel shares the cores among sessions, one that mostly sleeps can wait most of a second
for its turn while engines fill both cores, and what is measured then is that delay. A session's
priority is raised where the kernel has one and the user may; elsewhere nothing happens.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

NICE = -10


def raise_session(pid: int | None = None) -> None:
    """Of process ``pid``; None is this one."""
    with suppress(OSError):
        Path(f"/proc/{'self' if pid is None else pid}/autogroup").write_text(str(NICE))
