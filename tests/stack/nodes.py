"""More nodes on this machine: raylets that join a running stack with cards of their own.

The cards are declared, not there: the engines behind them run on the CPU.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.machine import processes
from cluster.placement_group import card_resource
from cluster.run.environment import environment
from cluster.state_folder import ADDRESS_FILE
from tests.stack.running import PYTEST_ENV, is_engine

RAY = Path(sys.executable).parent / "ray"
NOTE = Path("/tmp/ray/ray_current_cluster")  # noqa: S108 -- Ray's own place
JOIN_S_MAX = 120.0
RESOURCES_ENV = "RAY_OVERRIDE_RESOURCES"


def cards_of_head(card: str, count: int) -> dict[str, str]:
    """The environment of a `baseload serve` whose own node has the cards."""
    return {RESOURCES_ENV: json.dumps({"CPU": 4, "GPU": count, card_resource(card): count})}


@dataclass
class Node:
    """A raylet and what runs under it, found by a mark of its own."""

    run_id: str
    process: subprocess.Popen[bytes]

    @property
    def engines(self) -> list[psutil.Process]:
        return [each for each in processes.of_run(self.run_id) if is_engine(each)]

    def kill_raylet(self) -> None:
        raylet = processes.named(self.run_id, "raylet")
        assert raylet is not None
        os.kill(raylet.pid, signal.SIGKILL)


@contextmanager
def node(state: Path, card: str, count: int) -> Iterator[Node]:
    """Joins the Ray of the stack with this state folder; gone at the end, with all it started."""
    run_id = secrets.token_hex(8)
    address = _address(state)
    given = {name: value for name, value in os.environ.items() if name not in PYTEST_ENV}
    process = subprocess.Popen(
        [
            *(RAY, "start", f"--address={address}", "--block", "--num-cpus=4"),
            f"--num-gpus={count}",
            f"--resources={json.dumps({card_resource(card): count})}",
        ],
        env=given | environment(run_id, state),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Node(run_id, process)
    finally:
        process.kill()
        process.wait()
        processes.end(run_id, grace_s=0)
        _forget(address)


def _forget(address: str) -> None:
    """`ray start` notes the cluster for whoever connects to Ray next on this machine."""
    if NOTE.is_file() and NOTE.read_text().strip() == address:
        NOTE.unlink()


def _address(state: Path) -> str:
    file = state / ADDRESS_FILE
    deadline_s = time.monotonic() + JOIN_S_MAX
    while time.monotonic() < deadline_s:
        if file.is_file() and (text := file.read_text()):
            return text
        time.sleep(0.25)
    raise AssertionError(f"no Ray after {JOIN_S_MAX} s")
