"""What a process wrote to standard error, read back from the file that it goes into."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runtime.engine.process_log import LINE_CHARS_MAX, OwnLog, last_lines

WRITER = """
import sys
print("before", file=sys.stderr, flush=True)
from runtime.engine.process_log import OwnLog
log = OwnLog()
import subprocess
subprocess.run([sys.executable, "-c", "import sys; print('a child', file=sys.stderr)"])
print("after\\n\\n", file=sys.stderr, flush=True)
print(log.path, log.lines())
"""


def test_a_log_holds_what_this_process_and_its_children_wrote_since(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("a") as stderr:
        done = subprocess.run(
            [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert done.stdout == f"{path} ['a child', 'after']\n"


def test_standard_error_that_is_no_file_has_no_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITER], capture_output=True, text=True, check=False
    )
    assert done.stdout == "None []\n"


def test_a_log_that_does_not_exist(tmp_path: Path) -> None:
    assert OwnLog(tmp_path / "none").path is None
    assert last_lines(tmp_path / "none") == []


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n" + b"x" * 1_000_000 + b"\n\xff\nlast\n")
    lines = last_lines(path)
    assert lines[-1] == "last"
    assert len(lines) == 3
    assert max(map(len, lines)) == LINE_CHARS_MAX
    assert last_lines(path, begin=path.stat().st_size - 5) == ["last"]
