from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.rig.child import Child
from benchmarks.rig.common import BenchmarkError
from benchmarks.rig.stack import STATE_ENV, marked

WAITS = "print('noise'); print('ready on x', flush=True); __import__('time').sleep(60)"


def python(code: str, env: dict[str, str] | None = None) -> Child:
    return Child([sys.executable, "-c", code], "ready on ", env)


def test_ready_line_is_found_and_the_end_is_by_interrupt() -> None:
    with python(WAITS) as child:
        assert child.wait_ready() == "ready on x"
        status = child.stop()
    assert status != 0


def test_end_before_ready_is_an_error() -> None:
    with python("raise SystemExit(3)") as child, pytest.raises(BenchmarkError, match="exit 3"):
        child.wait_ready()


def test_processes_of_a_state_folder_are_found_until_they_end(tmp_path: Path) -> None:
    with python(WAITS, {STATE_ENV: str(tmp_path)}) as child:
        child.wait_ready()
        assert [process.pid for process in marked(tmp_path)] == [child.pid]
        assert marked(tmp_path / "other") == []
    assert marked(tmp_path) == []
