"""Engines that die as told: a vLLM plugin that exists only on the path of a test's processes.

The product knows nothing of it: it is found by its metadata in a folder on PYTHONPATH.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from runtime.engine.instruction_set import CHOSEN_ENV, InstructionSet

DEATH_ENV = "BASELOAD_TEST_DEATH"
DIED_FILE_ENV = "BASELOAD_TEST_DIED_FILE"  # made at the moment of the death
CALLS = {"load": "load_model", "token": "execute_model"}  # of vLLM's workers
ROOT = Path(__file__).resolve().parents[2]
ENTRY_POINT = """[vllm.general_plugins]
baseload_test_death = tests.stack.dying:install
"""
# Whatever the machine says: a processor that advertises AMX, and shows its tiles.
ADVERTISING = """
from runtime.engine import instruction_set
instruction_set.look = lambda: instruction_set.Amx(advertised=True)
"""


def dies(folder: Path, when: str, how: str, *, with_amx_only: bool = False) -> Mapping[str, str]:
    """The environment of engines that die ``how`` (a signal's name, or "raise") while they "load",
    or at the first "token"."""
    metadata = folder / "baseload_test_death-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: baseload-test-death\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINT)
    if with_amx_only:
        (folder / "sitecustomize.py").write_text(ADVERTISING)
    path = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    death = f"{when} {how}" + (" amx" if with_amx_only else "")
    return {"PYTHONPATH": os.pathsep.join(path), DEATH_ENV: death}


def install() -> None:
    """vLLM calls this in each of its processes; the replica, which is one, lives on."""
    when, how, *condition = os.environ[DEATH_ENV].split()
    if multiprocessing.parent_process() is None:
        return
    if condition == ["amx"] and os.environ[CHOSEN_ENV] != InstructionSet.AMX:
        return
    sys.setprofile(_AtCall(CALLS[when], how))


class _AtCall:
    """A profiler that waits for a call: the classes to patch depend on vLLM's configuration."""

    def __init__(self, name: str, how: str) -> None:
        self._name = name
        self._how = how

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name == self._name:
            sys.setprofile(None)
            die(self._how)


def die(how: str) -> None:
    if DIED_FILE_ENV in os.environ:
        Path(os.environ[DIED_FILE_ENV]).touch()
    if how == "raise":
        raise ValueError("as the test wants it")
    os.kill(os.getpid(), signal.Signals[how])
