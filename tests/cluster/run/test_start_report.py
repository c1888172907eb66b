"""What a process says of its own start, and who reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.run.start_report import Phase, Reporter, StartReport, folder, forget, read
from cluster.state_folder import STATE_ENV
from runtime.run_mark import RUN_ENV
from runtime.start_failed import StartFailed

RUN = "cafe0123"


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    monkeypatch.setenv(RUN_ENV, RUN)
    return folder(tmp_path, RUN)


def test_a_report_says_how_far_its_process_is(reports: Path) -> None:
    assert read(reports) == []
    reporter = Reporter("an engine of m", Path("/log"))
    (report,) = read(reports)
    assert (report.part, report.pid) == ("an engine of m", os.getpid())
    assert (report.phase, report.log_path) == (Phase.STARTING, "/log")
    assert not report.died_silently()
    reporter.note("one")
    reporter.note("two")
    reporter.ready()
    (report,) = read(reports)
    assert (report.phase, report.notes) == (Phase.READY, ("one", "two"))
    reporter.failed(StartFailed("why", None, ["the", "end"]))
    (report,) = read(reports)
    assert (report.phase, report.failure, report.notes) == (Phase.FAILED, "why", ("one", "two"))
    assert (report.log_path, report.log_tail) == ("/log", ("the", "end"))


def test_a_process_that_is_gone_has_died_silently_unless_it_said_why(reports: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        gone = StartReport(part="p", pid=child.pid)
        assert gone.died_silently()  # a zombie
    assert gone.died_silently()
    assert not gone.model_copy(update={"phase": Phase.FAILED}).died_silently()
    assert not gone.model_copy(update={"host": "elsewhere"}).died_silently()
    assert not StartReport(part="p").died_silently()


def test_nothing_is_written_where_nobody_waits(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RUN_ENV)
    Reporter("p").ready()
    assert not reports.parent.exists()


def test_a_folder_that_cannot_be_written_hides_no_other_fault(
    tmp_path: Path, reports: Path
) -> None:
    (tmp_path / "starts").write_text("a file")
    Reporter("p").failed(StartFailed("why"))
    assert read(reports) == []


def test_what_is_no_report_is_passed_over(reports: Path) -> None:
    Reporter("p")
    (reports / "1.json").write_text("{")
    (reports / "2.json").write_text('{"part": 7}')
    (reports / "3.new").write_text("half")
    assert [report.part for report in read(reports)] == ["p"]


def test_reports_are_forgotten_with_their_run(reports: Path) -> None:
    Reporter("p")
    (reports.parent / "other").mkdir()
    forget(reports)
    assert [each.name for each in reports.parent.iterdir()] == ["other"]
    forget(reports.parent / "other")
    assert not reports.parent.exists()
    forget(reports)
