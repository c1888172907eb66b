"""Wrong files: what a check says of each, and that no start thinks otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from cluster.checks.ask_vllm import ask_vllm
from cluster.checks.check_config_file import CheckReport, Place, Surroundings, check_file
from cluster.checks.resolve_pools import Known
from cluster.cli import check as cli_check
from cluster.cli.main import main
from cluster.machine.host import Host
from cluster.machine.inventory import Inventory
from cluster.run import supervisor
from cluster.state_folder import STATE_ENV
from models.tiny.checkpoint import ensure_tiny_moe
from models.yaml_file import read_yaml
from runtime.config_problems import where
from runtime.engine.verify_vllm_settings import Question
from runtime.engine.vllm_adapter.settings_verdict import SettingsVerdict
from tests.cluster.checks.starting import started_from
from tests.cluster.checks.wrong import Base, Wrong
from tests.cluster.checks.wrong_args import ARGS, FRAME
from tests.cluster.checks.wrong_options import OPTIONS
from tests.cluster.checks.wrong_routing import ROUTING

CASES = [*FRAME, *OPTIONS, *ARGS, *ROUTING]
KNOWN = Known.load()
TODAY = date(2026, 11, 30)
HOST = Host(24 << 30, 20 << 30, 2, 0.5)
NO_CARDS = Inventory("here", problems=("no NVIDIA driver answers",))

each_wrong_file = pytest.mark.parametrize("wrong", CASES, ids=lambda wrong: wrong.name)


class Bench:
    """All wrong files, and what vLLM says of their engines, asked once."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        ensure_tiny_moe(self.state / "tiny-moe")
        base, self._verdicts = Base(), dict[str, SettingsVerdict]()
        self.paths: dict[str, Path] = {}
        for number, wrong in enumerate(CASES):
            own = folder / str(number)
            own.mkdir()
            self.paths[wrong.name] = base.write(wrong, own)
        asked: list[Question] = []

        def note(
            questions: Sequence[Question], environment: Mapping[str, str]
        ) -> list[SettingsVerdict]:
            asked.extend(questions)
            return [SettingsVerdict() for _ in questions]

        for path in self.paths.values():
            check_file(path, self._around(note))
        told = ask_vllm(asked, dict(os.environ))
        assert isinstance(told, list), told
        for question, verdict in zip(asked, told, strict=True):
            self._verdicts[question.model_dump_json()] = verdict

    def ask(
        self, questions: Sequence[Question], environment: Mapping[str, str]
    ) -> list[SettingsVerdict]:
        return [self._verdicts[each.model_dump_json()] for each in questions]

    def check(self, wrong: Wrong) -> CheckReport:
        return check_file(self.paths[wrong.name], self._around(self.ask))

    def _around(self, ask: Any) -> Surroundings:
        return Surroundings(
            Place.START, self.state, TODAY, dict(os.environ), NO_CARDS, ask, host=HOST
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Known, "load", lambda: KNOWN)  # a third of a second, each time
        yield Bench(tmp_path_factory.mktemp("wrong"))


@pytest.fixture(autouse=True)
def state(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_ENV, str(bench.state))
    monkeypatch.setattr(cli_check, "ask_vllm", bench.ask)
    monkeypatch.setattr(cli_check, "this_host", lambda: HOST)


def test_there_are_more_wrong_files_than_were_reported() -> None:
    assert len(CASES) >= 29 + 20
    assert len({wrong.name for wrong in CASES}) == len(CASES)


@each_wrong_file
def test_a_check_says_where_and_what(bench: Bench, wrong: Wrong) -> None:
    report = bench.check(wrong)
    told = [(where(each.problem.path), each.severity, str(each)) for each in report.findings]
    assert any(
        at == wrong.at and severity is wrong.severity and wrong.says in text
        for at, severity, text in told
    ), told
    assert all("\n" not in text and "very-secret" not in text for _, _, text in told)


@each_wrong_file
def test_what_a_check_calls_valid_starts(bench: Bench, wrong: Wrong) -> None:
    """The start's own way through the file: arguments, configuration, keys and accounts."""
    report = bench.check(wrong)
    if report.errors:
        assert report.profile is None
        return
    assert report.profile is not None
    started(bench.paths[wrong.name])
    started_from(report.profile.document)


@each_wrong_file
def test_what_a_start_refuses_a_check_calls_an_error(bench: Bench, wrong: Wrong) -> None:
    try:
        started(bench.paths[wrong.name])
    except Exception:  # noqa: BLE001 -- whatever a start makes of a file that is no configuration
        assert bench.check(wrong).errors


def started(path: Path) -> None:
    started_from(read_yaml(path).content)


class _Started(Exception):
    """`serve` has come to the point at which Ray starts."""


@each_wrong_file
def test_serve_refuses_what_check_refuses_and_starts_the_rest(
    bench: Bench, wrong: Wrong, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(*_: object, **__: object) -> None:
        raise _Started

    monkeypatch.setattr(supervisor, "start", start)
    has_errors = bool(bench.check(wrong).errors)
    monkeypatch.setattr(sys, "argv", ["baseload", "serve", str(bench.paths[wrong.name])])
    with pytest.raises(SystemExit if has_errors else _Started) as ended:
        main()
    told = capsys.readouterr()
    assert told.out == ""
    assert wrong.says in told.err
    if has_errors:
        assert cast(SystemExit, ended.value).code == 2
        assert told.err.splitlines()[-1].endswith("nothing was started")


@each_wrong_file
def test_the_command_ends_as_the_file_is(
    bench: Bench, wrong: Wrong, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["baseload", "check", str(bench.paths[wrong.name])])
    with pytest.raises(SystemExit) as ended:
        main()
    has_errors = wrong.severity == "error"
    assert ended.value.code == (2 if has_errors else 0)
    assert ("cannot be served" if has_errors else "valid") in capsys.readouterr().out
