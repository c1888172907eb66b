"""A gateway under way: started on free ports, ready when it says so, ended by process id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.peers.gateway_setting import Command, GatewaySetting, Overload
from benchmarks.peers.peer import Peer
from benchmarks.rig.common import ROOT, BenchmarkError, Target
from benchmarks.rig.stack import STATE_ENV, command_line, free_port, marked

START_S_MAX = 240.0
STOP_S_MAX = 20.0
POLL_S = 0.25
ASK_S_MAX = 5.0
TAIL_CHARS_MAX = 300
LOG = "log"


class Gateway:
    """``pids`` are its processes at the time of asking: all, or those whose command line begins
    with one of ``titles``."""

    def __init__(
        self,
        name: str,
        command: Command,
        url: str,
        folder: Path,
        titles: tuple[str, ...] = ("",),
    ) -> None:
        self.target = Target(url + "/v1", command.key)
        self._name = name
        self._titles = titles
        self._ready = urllib.request.Request(  # noqa: S310 -- http, by the caller
            url + command.ready_path, headers={"authorization": f"Bearer {command.key}"}
        )
        self._folder = folder
        with (folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=os.environ | {STATE_ENV: str(folder)} | dict(command.env),
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        deadline_s = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise BenchmarkError(f"{self._name} ended before it was ready: {self.tail()}")
            if self._is_ready():
                return
            time.sleep(POLL_S)
        raise BenchmarkError(f"{self._name} was not ready in {START_S_MAX:.0f} s: {self.tail()}")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._ready, timeout=ASK_S_MAX) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def pids(self) -> dict[str, int]:
        found = [each for each in self._all() if command_line(each).startswith(self._titles)]
        return {f"{self._name} {each.pid}": each.pid for each in found}

    def tail(self) -> str:
        said = (self._folder / LOG).read_text(errors="replace").split()
        return " ".join(said)[-TAIL_CHARS_MAX:]

    def stop(self) -> None:
        """SIGTERM to the first process; what is left of the others after a while is killed."""
        ours = self._all()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S_MAX)
        for process in {*ours, *self._all()}:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()
        psutil.wait_procs(ours, STOP_S_MAX)

    def _all(self) -> list[psutil.Process]:
        """Children, and who has left the family but not the folder."""
        found = {*marked(self._folder)}
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self._process.pid)
            found |= {first, *first.children(recursive=True)}
        return sorted(found, key=lambda process: process.pid)


@contextlib.contextmanager
def running(
    peer: Peer,
    python: Path,
    engines: tuple[Target, ...],
    folder: Path,
    overload: Overload | None = None,
) -> Iterator[Gateway]:
    """Raises BenchmarkError if it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    setting = GatewaySetting(engines, free_port(), free_port(), folder, overload)
    command = peer.command(python, setting)
    titles = peer.gateway_titles or ("",)
    gateway = Gateway(peer.name, command, f"http://127.0.0.1:{setting.port}", folder, titles)
    try:
        gateway.wait_ready()
        yield gateway
    finally:
        gateway.stop()
