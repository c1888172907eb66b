"""A session that must not wait behind the engines: the load client's, the scripted provider's.

Where the kernel shares the cores among sessions, one that mostly sleeps can wait most of a second
for its turn while engines fill both cores, and what is measured then is that delay. A session's
priority is raised where the kernel has one and the user may; elsewhere nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NICE, USUAL = -10, 0


def raise_session(pid: int | None = None) -> None:
    """Raises the share of the session of process ``pid``; None is this one."""
    _set("self" if pid is None else pid, NICE)


@contextmanager
def raised_session() -> Iterator[None]:
    """This process's, and that of the processes that it starts meanwhile."""
    raise_session()
    try:
        yield
    finally:
        _set("self", USUAL)


def _set(process: int | str, nice: int) -> None:
    with suppress(OSError):
        Path(f"/proc/{process}/autogroup").write_text(str(nice))
