"""How the processes ended that this one has started: asked of each, however vLLM holds it.

vLLM's own account is empty where a process has closed its pipes and the kernel is still at it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from multiprocessing import process as standard
from multiprocessing.process import BaseProcess

SETTLE_S_MAX = 2.0
POLL_S = 0.02


def started() -> frozenset[BaseProcess]:
    """All processes that this one has made and still holds in some variable."""
    made: Iterable[BaseProcess] = getattr(standard, "_dangling", ())
    return frozenset(made)


def ended() -> frozenset[BaseProcess]:
    """Those of them that are no more: of an earlier start, say."""
    return frozenset(each for each in started() if each.exitcode is not None)


def exit_codes(before: frozenset[BaseProcess], settle_s: float = SETTLE_S_MAX) -> list[int]:
    """The exit codes of processes that are not in ``before``; below zero, a signal's number. [] if
    all of them live on for ``settle_s``: ends are known a moment after they are felt."""
    deadline_s = time.monotonic() + settle_s
    ours = [each for each in started() - before if each.pid is not None]
    while ours:
        codes = [code for each in ours if (code := each.exitcode) is not None]
        if codes or time.monotonic() > deadline_s:
            return codes
        time.sleep(POLL_S)
    return []
