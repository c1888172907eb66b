"""What stands in a table or a note is shown as it is written, whoever wrote it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

import cluster
from cluster.cli.doctor import _table
from cluster.cli.main import app
from cluster.cli.terminal import Plain, page, visible
from cluster.run.doctor_verdict import Check, DoctorVerdict
from cluster.state_folder import STATE_ENV
from tests.runtime.ledger.samples import opened, reserve, settle

FOREIGN = ["[/x]", "[bold]sale[/bold]", "[red", ":warning:", "[link=http://x]y[/link]", "零售 [1]"]
ACTING = "\x1b[2J\x9b\x07\r\x7f"  # erase, colour, ring, go back, delete
SPELT_OUT = "\\x1b[2J\\x9b\\x07\\x0d\\x7f"


def _shown(show: Callable[[Plain], None]) -> str:
    paper = StringIO()
    show(Plain(file=paper, width=120, force_terminal=True, no_color=True))
    return paper.getvalue()


@pytest.mark.parametrize("name", FOREIGN)
def test_a_name_is_shown_as_it_is_written(name: str) -> None:
    table = Table(f"of {name}", box=None)
    table.add_row(name)
    told = _shown(lambda out: out.print(table, name))
    assert told.count(name) == 3


def test_a_control_character_is_spelt_out() -> None:
    table = Table(ACTING, box=None)
    table.add_row(ACTING)
    told = _shown(lambda out: out.print(table, ACTING))
    assert told.count(SPELT_OUT) == 3
    assert not set(told) & set("\x9b\x07\r\x7f")
    assert visible("a\tb\nc é 零") == "a\tb\nc é 零"


def test_no_command_has_a_console_of_its_own() -> None:
    """A plain rich console would read foreign names as markup, and fail on some."""
    folder = Path(cluster.__file__).parent
    others = [path for path in folder.rglob("*.py") if path.name != "terminal.py"]
    assert len(others) > 20
    assert [path.name for path in others if "rich.console" in path.read_text()] == []


@pytest.mark.parametrize("name", [*FOREIGN, ACTING])
def test_the_books_of_any_tenant_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def fill() -> None:
        with opened(tmp_path / "ledger.db") as ledger:
            said = {"tenant": name, "feature": name, "model": name, "target": f"offer:{name}"}
            await ledger.reserve(reserve("a", **said))
            await ledger.settle(settle("a", outcome=f"target_failed: {name}"))

    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    asyncio.run(fill())
    for command, times in (("report", 4), ("requests", 3), ("audit", 0)):
        done = CliRunner().invoke(app, ["ledger", command])
        assert done.exit_code == 0, done.output
        assert done.stdout.count(visible(name)) == times


def test_the_doctor_shows_what_it_found_as_it_is() -> None:
    found = Check("[/x]", DoctorVerdict.OK, "[/y]", "[/z]")
    told = _shown(lambda out: out.print(_table([found])))
    assert all(name in told for name in ("[/x]", "[/y]", "[/z]"))


def test_a_page_has_its_width_where_stdout_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page(40).print("word " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert len(lines) == 3
