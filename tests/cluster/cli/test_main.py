"""The command line: examples, one line per refusal, one JSON document per --json."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from cluster.cli import serve as serving
from cluster.cli.main import app, main
from cluster.machine.ports import free_ports
from cluster.run import ray_address, supervisor
from cluster.state_folder import STATE_ENV
from runtime.edge.auth import KeyRing
from runtime.start_failed import StartFailed
from tests.runtime.ledger.samples import opened, reserve, settle

RUNNER = CliRunner()


def _commands() -> Iterator[list[str]]:
    root = typer.main.get_command(app)
    names = ["serve", "check", "key", "engines"]
    assert set(names) < set(root.commands)  # type: ignore[attr-defined]
    for name in root.commands:  # type: ignore[attr-defined]
        inner = getattr(root.commands[name], "commands", None)  # type: ignore[attr-defined]
        yield from [[name, each] for each in inner] if inner else [[name]]


class Baseload:
    """The console script in this process, with a state folder of its own."""

    def __init__(
        self, state: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        patch.setenv(STATE_ENV, str(state))
        self._patch = patch
        self._capture = capture

    def refused(self, *arguments: str) -> str:
        """The one line on stderr of a command that must be refused."""
        self._patch.setattr(sys, "argv", ["baseload", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = self._capture.readouterr()
        assert (ended.value.code, told.out) == (2, "")
        assert told.err.startswith("baseload: ")
        assert len(told.err.splitlines()) == 1
        return told.err


@pytest.fixture
def baseload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Baseload:
    return Baseload(tmp_path / "state", monkeypatch, capsys)


@pytest.mark.parametrize("command", list(_commands()), ids=" ".join)
def test_every_command_has_an_example(command: list[str]) -> None:
    shown = RUNNER.invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert f"Example: baseload {' '.join(command)}" in shown.output


def test_a_key_and_its_hash_belong_together() -> None:
    told = json.loads(RUNNER.invoke(app, ["key", "--json"]).stdout)
    assert KeyRing({"a": [told["key_sha256"]]}).tenant_of(told["key"]) == "a"
    assert json.loads(RUNNER.invoke(app, ["key", "--json"]).stdout) != told
    line = RUNNER.invoke(app, ["key"]).stdout.splitlines()[1]
    (digest,) = yaml.safe_load(line)["key_sha256"]  # as it goes into the file
    assert KeyRing({"a": [digest]})


@pytest.mark.parametrize("command", ["report", "requests", "audit"])
def test_an_empty_folder_has_no_ledger(tmp_path: Path, baseload: Baseload, command: str) -> None:
    told = baseload.refused("ledger", command, "--json")
    assert str(tmp_path / "state" / "ledger.db") in told
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("command", [["engines"], ["engines", "--json"], ["doctor", "--cluster"]])
def test_without_a_stack_there_is_nothing_to_list_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path / "state"))
    monkeypatch.delenv(ray_address.RAY_ADDRESS_ENV, raising=False)
    monkeypatch.setattr(ray_address, "RAY_CURRENT", tmp_path / "none")
    began_s = time.monotonic()
    done = RUNNER.invoke(app, command)
    assert time.monotonic() - began_s < 5
    assert done.exit_code == 1
    told = done.stderr if command[0] == "engines" else done.stdout
    assert f"no stack runs with this state folder ({tmp_path}/state)" in told or (
        "no Ray runs on this machine" in told
    )
    assert not (tmp_path / "state").exists()


def test_a_file_that_is_no_ledger(tmp_path: Path, baseload: Baseload) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database" * 100)
    assert str(path) in baseload.refused("ledger", "audit", "--ledger", str(path))


def test_a_ledger_is_named_by_its_path_or_its_url(tmp_path: Path, baseload: Baseload) -> None:
    path = tmp_path / "books.db"
    asyncio.run(_fill(path))
    for name in (str(path), f"sqlite:///{path}"):
        told = RUNNER.invoke(app, ["ledger", "audit", "--ledger", name])
        assert (told.exit_code, told.stdout.split(",")[0]) == (0, "ok: 4 entries")
    refused = baseload.refused("ledger", "audit", "--ledger", "postgresql://me:secret@host/x")
    assert "a ledger cannot be kept in postgresql" in refused
    assert "secret" not in refused


async def _fill(path: Path) -> None:
    with opened(path) as ledger:
        await ledger.reserve(reserve("a"))
        await ledger.settle(settle("a"))
        await ledger.reserve(reserve("b", tenant="other"))
        await ledger.settle(settle("b", cost_nano_usd=1))


def test_the_books_of_a_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    asyncio.run(_fill(tmp_path / "ledger.db"))
    told = json.loads(RUNNER.invoke(app, ["ledger", "report", "--json"]).stdout)
    assert told["total"]["requests"] == 2
    rows = json.loads(RUNNER.invoke(app, ["ledger", "requests", "--json"]).stdout)
    assert sum(row["cost_nano_usd"] for row in rows) == told["total"]["cost_nano_usd"] == 1_235
    mine = RUNNER.invoke(app, ["ledger", "requests", "--json", "--tenant", "other"])
    assert [row["request_id"] for row in json.loads(mine.stdout)] == ["b"]
    audited = RUNNER.invoke(app, ["ledger", "audit", "--json"])
    assert audited.exit_code == 0
    assert json.loads(audited.stdout)["ok"] is True
    for command in ("report", "requests", "audit"):
        assert RUNNER.invoke(app, ["ledger", command]).exit_code == 0


def test_the_rows_of_people_have_time_tenant_and_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    asyncio.run(_fill(tmp_path / "ledger.db"))
    head, first, second = RUNNER.invoke(app, ["ledger", "requests"]).stdout.splitlines()
    assert head.split() == [*("time", "request", "tenant", "target", "outcome"),
                            *("tokens", "in", "out", "USD")]  # fmt: skip
    assert first.split() == [
        *("2025-06-15", "15:06:40", "a", "acme", "local:tiny-moe-0", "ok"),
        *("118", "40", "0.000001234"),
    ]
    assert second.endswith("  0.000000001")
    assert len(head) == len(first) == len(second)


def test_the_points_of_a_report_stand_under_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    asyncio.run(_fill(tmp_path / "ledger.db"))
    asyncio.run(_leave_in_doubt(tmp_path / "ledger.db"))
    lines = RUNNER.invoke(app, ["ledger", "report"]).stdout.splitlines()
    assert len(lines) >= 4
    amounts = [line.rstrip() for line in lines[1:4]]
    assert len({line.rindex(".") for line in amounts}) == 1


async def _leave_in_doubt(path: Path) -> None:
    with opened(path) as ledger:
        await ledger.reserve(reserve("c", target="offer:x/y", bound_nano_usd=2_000_000_000))
        await ledger.settle(settle("c", cost_nano_usd=500_000_000, usage_source="none"))


def test_an_audit_says_what_is_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    asyncio.run(_fill(tmp_path / "ledger.db"))
    assert "doubt" not in RUNNER.invoke(app, ["ledger", "audit"]).stdout
    asyncio.run(_leave_in_doubt(tmp_path / "ledger.db"))
    told = RUNNER.invoke(app, ["ledger", "audit"])
    assert told.exit_code == 0
    assert "up to 1.50 USD more, for 0 attempts whose gateway died and 1 purchases" in told.stdout


def test_a_start_that_fails_says_why_before_it_ends_what_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def wait_ready(*_: object) -> None:
        raise StartFailed("an engine died", "/log", ["last words"])

    def stop(run: object, *, drain: bool) -> int:
        seen.append(capsys.readouterr().err)
        assert not drain  # nothing that runs is worth waiting for
        return 0

    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    monkeypatch.setattr(supervisor, "start", lambda *_, **__: None)
    monkeypatch.setattr(supervisor, "wait_ready", wait_ready)
    monkeypatch.setattr(supervisor, "stop", stop)
    monkeypatch.setattr(supervisor, "preflight", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["baseload", "serve"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert seen == [
        "baseload: an engine died\nThe end of its log, /log:\n  | last words\n",
    ]
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("name", ["serve.log", "serve.yaml", "serve.lock", "ray-token", "starts"])
def test_a_state_folder_with_something_in_the_way_is_one_line(
    name: str, tmp_path: Path, baseload: Baseload
) -> None:
    (tmp_path / "state").mkdir()
    if name == "starts":
        (tmp_path / "state" / name).touch()
    else:
        (tmp_path / "state" / name).mkdir()
    (port,) = free_ports(1)
    told = baseload.refused("serve", "--port", str(port))
    assert str(tmp_path / "state" / name) in told
    assert "cannot be used" in told


def test_a_file_that_cannot_be_read_is_one_line_in_every_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, baseload: Baseload
) -> None:
    def checked(path: Path, move: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(serving, "checked_profile", checked)
    told = baseload.refused("serve", str(tmp_path / "x.yaml"))
    assert told == f"baseload: {tmp_path}/x.yaml cannot be used: Permission denied\n"
