"""A process that a benchmark starts, waits for, and ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Self

from benchmarks.rig.common import ROOT, BenchmarkError

STOP_S_MAX = 60.0


class Child:
    """Started at once; its progress goes to our stderr. Leaving the context ends it.

    ``ready_line`` is what the line on its stdout starts with that says that it is ready.
    """

    def __init__(
        self, argv: Sequence[str], ready_line: str, env: Mapping[str, str] | None = None
    ) -> None:
        self._name = " ".join(argv[:3])
        self._ready_line = ready_line
        self._process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=os.environ | dict(env or {}),
            start_new_session=True,  # a terminal's Ctrl-C is passed on by ``stop``, once
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> str:
        """The line that said so. The child itself bounds how long it tries."""
        assert self._process.stdout is not None  # noqa: S101 -- a pipe, by the call above
        for line in self._process.stdout:
            if line.startswith(self._ready_line):
                return line.strip()
        raise BenchmarkError(f"{self._name} ended before it was ready (exit {self.stop()})")

    def stop(self) -> int:
        """SIGINT, as from a terminal; returns the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.communicate(timeout=STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
