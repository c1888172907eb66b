"""A config file that changes under a run: applied, refused as a whole, or for the next start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.cli.config_watch import Change, ConfigWatch
from cluster.cli.reload import APPLIED_S_MAX, Reload
from cluster.profile import LOCAL_PROFILE, Profile, load
from cluster.run.config_handover import Handover
from runtime.config_version import digest_of

Edit = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], None]


class Edited:
    """A file of its own, and who watches it."""

    def __init__(self, path: Path, move: Callable[[Profile], Profile]) -> None:
        self.path = path
        self.document = yaml.safe_load(LOCAL_PROFILE.read_text())
        self.write()
        self.watch = ConfigWatch(move(load(path)), move)

    def write(self) -> None:
        """As editors do: another file in its place."""
        draft = self.path.with_suffix(".draft")
        draft.write_text(yaml.safe_dump(self.document, sort_keys=False))
        draft.replace(self.path)

    def edit(self, change: Edit) -> Change | None:
        app = self.document["applications"][0]
        change(self.document, app["args"], app["deployments"][0]["user_config"])
        self.write()
        return self.look()

    def look(self) -> Change | None:
        first = self.watch.look()
        assert first is None, "it may still be written"
        return self.watch.look()


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    made = Edited(tmp_path / "config.yaml", lambda profile: profile)
    assert made.look() is None
    return made


def budget(ms: int) -> Edit:
    return lambda document, args, routing: routing.update(ttft_budget_ms=ms)


def test_a_changed_user_config_is_applied_as_a_whole(edited: Edited) -> None:
    change = edited.edit(budget(1_234))
    assert change is not None
    assert change.is_new
    assert (change.errors, change.restart) == ((), ())
    assert change.user_config["ttft_budget_ms"] == 1_234
    assert change.user_config.keys() >= {"providers", "telemetry"}
    assert edited.watch.look() is None  # once


def test_a_file_that_is_written_again_as_it_was_is_no_change(edited: Edited) -> None:
    edited.write()
    assert edited.look() is None


def test_a_bad_file_is_refused_with_all_errors_and_their_lines(edited: Edited) -> None:
    def spoil(document: dict[str, Any], args: dict[str, Any], routing: dict[str, Any]) -> None:
        routing["ttft_budget_ms"] = "soon"
        routing |= {f"unknown_{number}": 1 for number in range(20)}
        args["pools"][0]["card"] = 7

    change = edited.edit(spoil)
    assert change is not None
    assert change.profile is change.user_config is None
    assert len(change.errors) == 22
    assert all("(line " in each for each in change.errors)

    def mend(document: dict[str, Any], args: dict[str, Any], routing: dict[str, Any]) -> None:
        del routing["ttft_budget_ms"]
        for number in range(20):
            del routing[f"unknown_{number}"]
        args["pools"][0]["card"] = "cpu"

    good = edited.edit(mend)
    assert good is not None
    assert good.is_new  # so that the refusal ends, though the content is as it was


@pytest.mark.parametrize("content", ["applications: [", "", "\x00", "a: 1\na: 2\n"])
def test_what_is_no_config_file_is_refused(edited: Edited, content: str) -> None:
    edited.path.write_text(content)
    change = edited.look()
    assert change is not None
    assert change.errors
    assert change.profile is None


def test_a_file_that_is_gone_is_refused_and_one_that_is_gone_for_a_moment_is_not(
    edited: Edited,
) -> None:
    text = edited.path.read_text()
    edited.path.unlink()
    assert edited.watch.look() is None
    edited.path.write_text(text)
    assert edited.look() is None
    edited.path.unlink()
    change = edited.look()
    assert change is not None
    assert "cannot be read" in change.errors[0]


def test_a_date_that_serve_cannot_pass_on_is_refused(edited: Edited) -> None:
    def dated(document: dict[str, Any], args: dict[str, Any], routing: dict[str, Any]) -> None:
        routing["region"] = date(2026, 11, 30)

    change = edited.edit(dated)
    assert change is not None
    assert change.profile is None


def test_what_needs_a_restart_is_said_and_the_rest_is_applied(edited: Edited) -> None:
    """C18: a change of both is not dropped, and not half applied without a word."""

    def both(document: dict[str, Any], args: dict[str, Any], routing: dict[str, Any]) -> None:
        args["pools"][0]["replicas"] = 3
        routing["telemetry"]["metrics_port"] = 9_999
        routing["ttft_budget_ms"] = 1_234

    change = edited.edit(both)
    assert change is not None
    assert change.is_new
    assert change.restart == (
        "applications[0].args.pools[0].replicas",
        "applications[0].deployments[0].user_config.telemetry.metrics_port",
    )

    def only_args(document: dict[str, Any], args: dict[str, Any], routing: dict[str, Any]) -> None:
        args["pools"][0]["replicas"] = 2

    back = edited.edit(only_args)
    assert back is not None
    assert not back.is_new
    assert len(back.restart) == 1


def test_a_run_on_another_port_goes_on_with_its_own_ports(tmp_path: Path) -> None:
    def move(profile: Profile) -> Profile:
        return profile.moved(8_123, [8_124, 8_125])

    edited = Edited(tmp_path / "config.yaml", move)
    assert edited.look() is None
    change = edited.edit(budget(1_234))
    assert change is not None
    assert change.restart == ()
    assert ":8124/" in change.user_config["providers"]["stand-in"]["base_url"]


class Told:
    """What a run was given, and what it answers."""

    def __init__(self, edited: Edited) -> None:
        self.edited = edited
        self.given: list[Handover] = []
        self.state: dict[str, Any] = {"config": "000000000000.1"}
        self.now_s = 0.0
        self.reload = Reload(
            edited.watch, self.given.append, lambda: self.state, lambda: self.now_s
        )

    def news(self) -> list[str]:
        return [line for _ in range(3) for line in self.reload.news()]

    def edit(self, change: Edit) -> list[str]:
        app = self.edited.document["applications"][0]
        change(self.edited.document, app["args"], app["deployments"][0]["user_config"])
        self.edited.write()
        return self.news()


def test_that_a_change_is_applied_is_said_when_it_is(edited: Edited) -> None:
    told = Told(edited)
    assert told.edit(budget(1_234)) == []
    (given,) = told.given
    assert given.user_config is not None
    assert given.user_config["ttft_budget_ms"] == 1_234
    version = f"{digest_of(load(edited.path).routing)}.2"
    told.state = {"config": version}
    assert told.news() == [f"configuration {version} is applied"]
    assert told.news() == []


def test_a_refusal_is_said_and_handed_on_with_every_error(edited: Edited) -> None:
    told = Told(edited)
    first, *errors = told.edit(lambda document, args, routing: routing.update(colour=1, size=2))
    assert first == "the changed file is refused, 2 errors; the configuration before it goes on:"
    assert [handed.user_config for handed in told.given] == [None]
    assert [f"  {each}" for each in told.given[0].errors] == errors
    assert "user_config.colour" in errors[0]


def test_a_change_that_is_not_applied_in_time_is_said(edited: Edited) -> None:
    told = Told(edited)
    told.edit(budget(1_234))
    told.state["config_refused"] = "because"
    assert told.news() == []
    told.now_s = APPLIED_S_MAX + 1
    assert told.news() == ["the changed configuration is not applied: because"]


def test_only_a_restart_would_help_and_nothing_is_handed_on(edited: Edited) -> None:
    told = Told(edited)
    lines = told.edit(lambda document, args, routing: args["pools"][0].update(replicas=1))
    assert lines == ["a change of applications[0].args.pools[0].replicas waits for a restart"]
    assert told.given == []
