"""A start that fails says why at once, in one line, with the end of the engine's own log, and
leaves nothing behind. Each test is a real start."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.stack.dying import DIED_FILE_ENV, dies
from tests.stack.failing import ENDS_S_MAX, Failing, failing, one_engine
from tests.stack.running import running

PROMISED_S = 5.0
PATIENCE = 3  # times as long, on a machine that has much else to do


def assert_told(start: Failing, *parts: str, died_at_s: float) -> None:
    """In time, before anything was tried again, and with nothing left."""
    assert start.process.wait(ENDS_S_MAX) == 2
    at_s, line = start.refusal()
    assert all(part in line for part in parts), line
    assert at_s - died_at_s < PROMISED_S * PATIENCE
    assert start.text[-1].startswith("stopped")
    assert not start.processes()
    assert "AttributeError" not in (start.state / "serve.log").read_text()


@pytest.mark.parametrize(
    ("how", "told", "logged"),
    [
        ("SIGSEGV", "an engine of tiny-moe died of SIGSEGV while it loaded", "in die"),
        ("SIGILL", "an engine of tiny-moe died of SIGILL while it loaded", "in die"),
        ("SIGKILL", "an engine of tiny-moe died of SIGKILL while it loaded", ""),
        ("raise", "ValueError: as the test wants it", "ValueError: as the test wants it"),
    ],
)
def test_an_engine_that_dies_while_it_loads(
    how: str, told: str, logged: str, tmp_path: Path
) -> None:
    death = tmp_path / "death"
    env = {**dies(tmp_path / "plugin", "load", how), DIED_FILE_ENV: str(death)}
    with failing(tmp_path / "state", one_engine(tmp_path), env) as start:
        start.wait_for(death.exists)
        died_at_s = death.stat().st_mtime
        assert_told(start, told, died_at_s=died_at_s)
    assert any(line.startswith("The end of its log, /") for line in start.text)
    assert any(line.startswith("  | ") and logged in line for line in start.text)


def test_a_replica_that_is_killed_while_it_loads(tmp_path: Path) -> None:
    with failing(tmp_path / "state", one_engine(tmp_path), {}) as start:
        replica = start.named("ServeReplica:baseload:Engine-tiny-moe")
        start.wait_for(lambda: "loading engines" in "".join(start.text))
        died_at_s = time.time()
        replica.kill()
        assert_told(start, "an engine of tiny-moe", "is gone", died_at_s=died_at_s)


def test_cards_that_this_machine_has_not(tmp_path: Path) -> None:
    profile = one_engine(tmp_path, card="h20", card_usd_per_hour="1.00")
    with failing(tmp_path / "state", profile, {}) as start:
        assert start.process.wait(ENDS_S_MAX) == 2
    _, line = start.refusal()
    assert "pool tiny-moe (1 replica) needs 1 × h20, and this machine has none" in line
    assert "loading" not in "".join(start.text)
    assert not start.processes()


def test_an_application_that_cannot_be_built(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "tiny-moe").write_text("no folder")
    with failing(state, one_engine(tmp_path), {}) as start:
        assert start.process.wait(ENDS_S_MAX) == 2
    _, line = start.refusal()
    assert "application baseload failed: " in line
    assert f"{state}/tiny-moe" in line
    assert not start.processes()


def test_a_forward_that_dies_of_sigill_is_tried_without_amx(tmp_path: Path) -> None:
    env = dies(tmp_path / "plugin", "token", "SIGILL", with_amx_only=True)
    said = tmp_path / "stderr"
    with (
        said.open("w") as stderr,
        running(tmp_path / "state", one_engine(tmp_path), env, stderr=stderr) as stack,
    ):
        assert stack.replicas() == 1
    line = "engines of tiny-moe run without AMX: an engine died of SIGILL with it"
    assert said.read_text().count(line) == 1
