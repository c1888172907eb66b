"""A `baseload serve` that does not come up: what it tells, when, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import psutil
import yaml

from cluster.machine import processes
from cluster.machine.ports import free_ports
from cluster.profile import LOCAL_PROFILE
from runtime.run_mark import RUN_ENV
from tests.stack.running import BASELOAD, PYTEST_ENV

ENDS_S_MAX = 200.0
POLL_S = 0.05

T = TypeVar("T")


@dataclass
class Failing:
    """``lines`` are those of standard error, each with the time (``time.time``) it came at."""

    process: subprocess.Popen[str]
    state: Path
    lines: list[tuple[float, str]] = field(default_factory=list)
    run_id: str = ""

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append((time.time(), line.rstrip()))

    def wait_for(self, found: Callable[[], T | None]) -> T:
        """What ``found`` returns, as soon as that is something."""
        deadline_s = time.monotonic() + ENDS_S_MAX
        while time.monotonic() < deadline_s and self.process.poll() is None:
            if result := found():
                return result
            time.sleep(POLL_S)
        raise AssertionError("\n".join(self.text))

    def processes(self) -> list[psutil.Process]:
        return processes.of_run(self.run_id)

    def named(self, part: str) -> psutil.Process:
        """The first process whose command line holds ``part``, as soon as there is one."""

        def found() -> psutil.Process | None:
            for process in self.processes():
                try:
                    if part in " ".join(process.cmdline()):
                        return process
                except psutil.Error:
                    continue
            return None

        return self.wait_for(found)

    @property
    def text(self) -> list[str]:
        return [line for _, line in self.lines]

    def refusal(self) -> tuple[float, str]:
        """The one line that says why, and when it came."""
        (found,) = [each for each in self.lines if each[1].startswith("baseload: ")]
        return found


@contextmanager
def failing(state: Path, profile: Path, env: Mapping[str, str]) -> Iterator[Failing]:
    """Started, and ended at the latest with the block."""
    (port,) = free_ports(1)
    keep = {name: value for name, value in os.environ.items() if name not in PYTEST_ENV}
    process = subprocess.Popen(
        [BASELOAD, "serve", str(profile), "--port", str(port)],
        env=keep | {"BASELOAD_STATE": str(state)} | dict(env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    made = Failing(process, state)
    reader = Thread(target=made.read)
    reader.start()
    try:
        made.run_id = made.wait_for(lambda: _mark(process.pid))
        yield made
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(45)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join()
        if process.stderr is not None:
            process.stderr.close()
        if made.run_id:
            processes.end(made.run_id, grace_s=0)


def _mark(pid: int) -> str | None:
    try:
        for child in psutil.Process(pid).children():
            if (mark := child.environ().get(RUN_ENV)) is not None:
                return mark
    except psutil.Error:
        pass
    return None


def one_engine(folder: Path, **pool: Any) -> Path:
    """The local profile with one replica, no stand-in, and ``pool`` changed."""
    document = yaml.safe_load(LOCAL_PROFILE.read_text())
    (app,) = document["applications"]
    routing = app["deployments"][0]["user_config"]
    del app["args"]["stand_in"], routing["providers"], routing["rules"]
    app["args"]["pools"][0] |= {"replicas": 1, **pool}
    profile = folder / "one-engine.yaml"
    profile.write_text(yaml.safe_dump(document))
    return profile
