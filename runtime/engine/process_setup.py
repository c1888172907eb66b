"""What each engine process does first: it ties itself to its parent's life, and takes its
instruction set.

vLLM starts its engine core and workers as child processes and loads this plugin in each.
The kernel then kills the child when its parent dies, however it dies, SIGKILL included.
"""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import signal

from runtime.engine import instruction_set

LIFELINE_ENV = "BASELOAD_LIFELINE"  # set by our replicas, so that other users of vLLM keep theirs
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent_pid: int) -> None:
    """Has SIGKILL sent to this process, from here on, when the thread that started it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent_pid:  # it died before the kernel was told
        os._exit(1)


def install() -> None:
    """Entry point of the ``vllm.general_plugins`` group: a no-op where vLLM is not ours."""
    if os.environ.get(LIFELINE_ENV) != "1":
        return
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(parent.pid)
    faulthandler.enable(all_threads=False)  # a death by a signal leaves its stack in the log
    instruction_set.apply()
