"""`baseload drill`: its words, its document, its page, its exit status."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cluster.cli import check as cli_check
from cluster.cli.drill import command, play
from cluster.cli.main import app
from cluster.drill.drill_report import DrillReport, IncidentReport, Misplaced, Side
from cluster.profile import LOCAL_PROFILE
from cluster.state_folder import STATE_ENV
from runtime.engine.vllm_adapter.settings_verdict import SettingsVerdict

RUNNER = CliRunner()
SIDE = Side(
    requests=2,
    answered=2,
    endings=[],
    ttft_ms_p50=1.0,
    ttft_ms_p99=2.0,
    attempts_per_request=1.0,
    attempts_max=1,
    bought=2,
    bought_usd="0.001",
    bought_usd_per_1000="0.50",
)
WRONG = Misplaced(target="a/<b>", why="pipl/home", seen_by="target", asked="help")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path / "state"))
    monkeypatch.setattr(cli_check, "ask_vllm", lambda asked, _: [SettingsVerdict() for _ in asked])


def _drill(*arguments: object, ends: int = 0) -> Result:
    done = RUNNER.invoke(app, ["drill", *map(str, arguments)])
    assert done.exit_code == ends, (done.output, done.exception)
    return done


def _report(misplaced: list[Misplaced]) -> DrillReport:
    incident = IncidentReport(
        scenario="outage",
        what="a is down",
        targets=["a"],
        verdict=["HELD: whatever was answered before is still answered."],
        misplaced=misplaced,
        total_before=SIDE,
        total_during=SIDE,
        added_ttft_ms_p50=3.0,
        added_ttft_ms_p99=None,
        noise_ms=20.0,
        lines=[],
    )
    return DrillReport(
        config="a.yaml",
        as_of=date(2026, 11, 30),
        seconds=2,
        rate_per_s=2,
        notes=["only 2 of 3"],
        incidents=[incident],
    )


@pytest.fixture(params=[[], [WRONG]], ids=["good", "misplaced"])
def played(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """What a drill found, and the exit status that it deserves."""
    found: list[Misplaced] = request.param

    async def played_already(*_: Any) -> DrillReport:
        return _report(found)

    monkeypatch.setattr(play, "drill", played_already)
    return command.EXIT_FORBIDDEN if found else 0


def test_words_and_status(played: int) -> None:
    told = _drill(ends=played).stdout
    assert "WHAT IF a is down" in told
    assert "HELD" in told
    assert "note: only 2 of 3" in told
    assert ("WHERE THEY ARE FORBIDDEN" in told) == bool(played)
    assert "$0.5000 to $0.5000" in told


def test_the_same_as_a_document(played: int) -> None:
    told = json.loads(_drill("--json", ends=played).stdout)
    assert DrillReport.model_validate(told).misplaced == bool(played)
    assert told["incidents"][0]["total_during"]["bought_usd"] == "0.001"


def test_the_page_loads_nothing_and_escapes_names(played: int, tmp_path: Path) -> None:
    path = tmp_path / "drill.html"
    _drill("--report", path, ends=played)
    page = path.read_text()
    assert "What if a is down" in page
    assert ("a/&lt;b&gt;" in page) == bool(played)
    assert "src=" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_whole_drill_of_the_local_profile() -> None:
    arguments = ("--scenario", "empty-matrix", "--seconds", 1, "--rate", 8, "--json")
    done = _drill(LOCAL_PROFILE, *arguments)
    (incident,) = json.loads(done.stdout)["incidents"]
    assert incident["total_before"]["answered"] == 4
    assert incident["total_during"]["answered"] == 0
    assert [line["tenants"] for line in incident["lines"]] == [["local"]] * 4
    assert "[1/1] no target may have any request; about" in done.stderr


def test_a_wrong_file_is_refused_as_check_does(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(LOCAL_PROFILE.read_text().replace("ttft_budget_ms", "ttft_budget"))
    done = _drill(path, ends=2)
    assert "ttft_budget" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments", [("--scenario", "flood"), ("--seconds", "0"), ("--report", "/none/at/all.html")]
)
def test_wrong_options_are_refused(arguments: tuple[str, str]) -> None:
    assert RUNNER.invoke(app, ["drill", *arguments]).exit_code != 0


def test_too_many_requests_for_one_scenario_are_refused() -> None:
    done = RUNNER.invoke(app, ["drill", "--seconds", "600", "--rate", "200"])
    assert "at most 1024" in str(done.exception)
