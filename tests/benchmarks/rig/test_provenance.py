from __future__ import annotations

import sys

import pytest

from benchmarks.rig.provenance import command_line


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), ""),
        (("--runs", "2", "--quick"), " --runs 2 --quick"),
        (("--cache", "/home/me/c", "--only", "smg"), " --only smg"),
        (("--seconds=3", "--out=/home/me/r.json"), " --seconds=3"),
        (("--raw",), ""),
    ],
)
def test_a_command_can_be_run_anywhere(
    given: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *given])
    assert command_line("benchmarks.x") == f"python -m benchmarks.x{told}"
