"""A start that fails says why at once, in one line, with the end of the engine's own log, and
leaves nothing behind. Each test is a real start."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.stack.dying import DIED_FILE_ENV, dies
from tests.stack.failing import ENDS_S_MAX, Failing, failing, one_engine
from tests.stack.running import BASELOAD, running

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


def refused(profile: Path, state: Path) -> str:
    done = subprocess.run(
        [BASELOAD, "serve", profile],
        env=os.environ | {"BASELOAD_STATE": str(state)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    return done.stderr


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


def test_what_can_be_known_is_told_before_anything_is_started(tmp_path: Path) -> None:
    """Cards that are not here, and a folder that is no checkpoint."""
    (tmp_path / "tiny-moe").write_text("no folder")
    told = refused(one_engine(tmp_path, card="h20", card_usd_per_hour="1.00"), tmp_path)
    assert "1 x h20 are needed, and this machine has none" in told
    told = refused(one_engine(tmp_path), tmp_path)
    assert f"{tmp_path}/tiny-moe is no tiny-moe checkpoint" in told
    assert not (tmp_path / "serve.log").exists()


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
