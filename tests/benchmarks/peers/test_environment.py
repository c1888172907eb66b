from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.peers.environment import STAMP, Skipped, python_of, reason, version_of
from benchmarks.peers.smg import SMG

NO_SUCH_FILE = replace(SMG, requirements=("./no-such-file.whl",))


def test_what_cannot_be_installed_is_skipped_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Skipped, match="no-such-file"):
        python_of(NO_SUCH_FILE, tmp_path)
    assert not (tmp_path / SMG.name / STAMP).exists()


def test_what_is_made_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / SMG.name
    folder.mkdir()
    wanted = {"requirements": [*NO_SUCH_FILE.requirements], "newest": []}
    (folder / STAMP).write_text(json.dumps(wanted))
    assert python_of(NO_SUCH_FILE, tmp_path) == folder / "bin" / "python"


def test_version_is_asked_of_the_environment() -> None:
    python = Path(sys.executable)
    assert version_of(replace(SMG, package="pytest"), python) == pytest.__version__
    with pytest.raises(Skipped, match="no-such-package"):
        version_of(replace(SMG, package="no-such-package"), python)


def test_reason_is_the_first_error_or_the_last_line() -> None:
    assert reason("noise\nERROR: no wheel\nERROR: more\nend\n") == "ERROR: no wheel"
    assert reason("Traceback\nImportError: x\n\n") == "ImportError: x"
    assert reason("") == "it failed without a word"
