"""The watched file of `baseload serve`, under load: what it holds now is what serves, or nothing of
it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.caller import broken, caller
from tests.stack.running import Stack

SEEN_S_MAX = 60.0  # about 2 s on a machine with nothing else to do

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def file(audited: Stack) -> Iterator[Path]:
    """The stack's own, which is at the end as it was."""
    assert audited.profile is not None
    text, before = audited.profile.read_text(), _state(audited)["config"]
    yield audited.profile
    audited.profile.write_text(text)
    _wait(audited, lambda state: _digest(state) == before.partition(".")[0])
    _wait(audited, lambda state: "config_refused" not in state)


def _state(stack: Stack) -> dict[str, Any]:
    return stack.get("/ready")[1]


def _digest(state: dict[str, Any]) -> str:
    return str(state["config"]).partition(".")[0]


def _wait(stack: Stack, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline_s = time.monotonic() + SEEN_S_MAX
    while time.monotonic() < deadline_s:
        if what(state := _state(stack)):
            return state
        time.sleep(0.2)
    raise AssertionError(_state(stack))


def _edit(file: Path, change: Edit) -> None:
    document = yaml.safe_load(file.read_text())
    change(document["applications"][0])
    draft = file.with_suffix(".draft")
    draft.write_text(yaml.safe_dump(document, sort_keys=False))
    draft.replace(file)


def _routing(app: dict[str, Any]) -> dict[str, Any]:
    routing: dict[str, Any] = app["deployments"][0]["user_config"]
    return routing


def test_a_changed_file_is_applied_and_a_bad_one_is_not_and_nobody_loses_an_answer(
    audited: Stack, file: Path
) -> None:
    first = _state(audited)["config"]
    with caller(audited.url, audited.key) as ended:
        _edit(file, lambda app: _routing(app).update(ttft_budget_ms=4_321))
        second = _wait(audited, lambda state: state["config"] != first)["config"]

        _edit(file, lambda app: _routing(app).update(colour=1, ttft_budget_ms="soon"))
        refused = _wait(audited, lambda state: "config_refused" in state)
        assert "colour" in refused["config_refused"]
        assert "ttft_budget_ms" in refused["config_refused"]
        assert refused["config"] == second

        def both(app: dict[str, Any]) -> None:
            del _routing(app)["colour"]
            _routing(app)["ttft_budget_ms"] = 5_432
            app["args"]["pools"][0]["replicas"] = 1

        _edit(file, both)
        third = _wait(audited, lambda state: state["config"] != second)
        assert "config_refused" not in third
        assert third["replicas"] == {"tiny-moe": 2}  # what waits for a restart has waited
    assert len(ended) > 3
    assert broken(ended) == []
