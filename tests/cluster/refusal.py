"""What a command that must be refused says: one line on stderr, and nothing on stdout."""

from __future__ import annotations

import sys

import pytest

from cluster.cli.main import main


def refusal(patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line, of the console script in this process."""
    patch.setattr(sys, "argv", ["baseload", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capture.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert told.err.startswith("baseload: ")
    assert len(told.err.splitlines()) == 1
    return told.err
