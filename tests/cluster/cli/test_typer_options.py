"""From a dataclass to a command: what Typer shows, reads and refuses of it."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from typer.testing import CliRunner, Result

from cluster.cli.main import app as baseload
from cluster.cli.typer_options import argument, option, panel, takes

WIDE = {"COLUMNS": "120", "TERMINAL_WIDTH": "120"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    rate_per_s: float | None = option("Requests per second.", None, "--rate")
    tries: int = option("How often.", 3, min=1)
    kind: Literal["open", "closed"] = option("Of the loop.", "open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    url: str = argument("Where to.")
    file: Path = argument("What to send.", Path("a.json"))
    model: str = option("As the server names it.")
    pace: Pace = panel("How fast")
    dry_run: bool = option("Send nothing.", False)
    color: bool = option("Colours.", True, "--color/--no-color")
    tag: list[str] | None = option("May be repeated.", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class More(Some):
    loud: bool = option("Say more.", False)


seen: list[Any] = []
app = typer.Typer()


@app.callback()
def callback() -> None:
    """Commands."""


@app.command()
@takes(Some)
def some(options: Some) -> None:
    """Does something."""
    seen.append(options)


@app.command()
@takes(More)
def more(options: More) -> None:
    """Does more."""
    seen.append(options)


def ran(*arguments: str, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, arguments, env=WIDE)
    assert done.exit_code == ends, done.output
    return done


def test_defaults_are_those_of_the_dataclass() -> None:
    ran("some", "http://x", "--model", "m")
    assert seen[-1] == Some(url="http://x", model="m", pace=Pace())
    assert seen[-1].pace.tries == 3


def test_every_value_arrives_in_its_own_dataclass() -> None:
    ran(
        *("some", "http://x", "b.json", "--model", "m", "--rate", "2.5", "--tries", "2"),
        *("--kind", "closed", "--dry-run", "--no-color", "--tag", "a", "--tag", "b"),
    )
    assert seen[-1] == Some(
        url="http://x",
        file=Path("b.json"),
        model="m",
        pace=Pace(rate_per_s=2.5, tries=2, kind="closed"),
        dry_run=True,
        color=False,
        tag=["a", "b"],
    )


def test_a_dataclass_has_the_options_of_its_base() -> None:
    ran("more", "http://x", "--model", "m", "--loud")
    assert seen[-1] == More(url="http://x", model="m", pace=Pace(), loud=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["http://x"], "Missing option '--model'"),
        (["--model", "m"], "Missing argument 'url'"),
        (["http://x", "--model", "m", "--tries", "0"], "Invalid value for '--tries'"),
        (["http://x", "--model", "m", "--rate", "many"], "Invalid value for '--rate'"),
        (["http://x", "--model", "m", "--kind", "shut"], "'shut' is not one of 'open', 'closed'"),
        (["http://x", "--model", "m", "--no-dry-run"], "No such option: --no-dry-run"),
        (["http://x", "--model", "m", "--rate-per-s", "1"], "No such option: --rate-per-s"),
    ],
    ids=lambda given: given[-1] if isinstance(given, list) else None,
)
def test_wrong_usage_is_refused_as_typer_refuses_it(arguments: list[str], told: str) -> None:
    assert told in ran("some", *arguments, ends=2).output


def test_help_shows_options_in_their_boxes() -> None:
    lines = ran("some", "--help").output.splitlines()
    boxes = [number for number, line in enumerate(lines) if line.startswith("╭─")]
    titles = [lines[number].strip("╭─╮ ") for number in boxes]
    assert titles == ["Arguments", "Options", "How fast"]
    fast = "\n".join(lines[boxes[2] :])
    assert "--rate" in fast
    assert "Requests per second." in fast
    assert "[default: 3]" in fast
    assert "--model" not in fast
    assert "Does something." in "\n".join(lines)


def test_the_function_keeps_its_name_and_text() -> None:
    assert (some.__name__, some.__doc__) == ("some", "Does something.")


def _commands(group: Any, name: str = "baseload") -> Iterator[tuple[str, Any]]:
    for child, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} {child}")
        else:
            yield f"{name} {child}", command


COMMANDS = dict(_commands(typer.main.get_command(baseload)))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_takes_a_dataclass_and_names_no_option_twice(command: Any) -> None:
    (parameter,) = inspect.signature(inspect.unwrap(command.callback)).parameters.values()
    assert parameter.name == "options"
    names = Counter(name for each in command.params for name in (*each.opts, *each.secondary_opts))
    assert max(names.values()) == 1


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_option_says_what_it_is(command: Any) -> None:
    assert [each.name for each in command.params if not each.help] == []
