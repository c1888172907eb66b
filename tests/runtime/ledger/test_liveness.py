"""What every liveness promises: a killed owner is found dead, a living one never."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.audit import audit
from runtime.ledger.liveness import Liveness
from runtime.ledger.open_store import open_store
from runtime.ledger.usage_report import requests
from tests.runtime.ledger.samples import opened
from tests.runtime.ledger.test_processes import ROOT, worker

LOOKS = 200


@pytest.fixture
def liveness(url: str) -> Liveness:
    return open_store(url).liveness


@contextmanager
def another_process(url: str, owner: str, reserves: int) -> Iterator[subprocess.Popen[str]]:
    """It has this many attempts open by now, and lives on until its input ends."""
    command = worker("wait", url, owner, reserves)
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(reserves + 1):
            process.stdout.readline()
        yield process
        process.kill()


def test_a_claim_lasts_until_its_end(liveness: Liveness) -> None:
    assert not liveness.is_alive("boot-1")
    claim = liveness.claim("boot-1")
    for _ in range(3):
        assert liveness.is_alive("boot-1")
        claim.renew()
    assert not liveness.is_alive("boot-2")
    claim.end()
    assert not liveness.is_alive("boot-1")
    claim.end()
    liveness.claim("boot-1").end()


def test_a_living_owner_is_not_forgotten(liveness: Liveness) -> None:
    claim = liveness.claim("boot-1")
    liveness.forget("boot-1")
    assert liveness.is_alive("boot-1")
    claim.end()
    liveness.forget("boot-1")
    assert not liveness.is_alive("boot-1")


def test_a_name_is_one_owners_at_a_time(url: str, liveness: Liveness) -> None:
    claim = liveness.claim("boot-1")
    with pytest.raises(LedgerUnavailable, match="another process is owner 'boot-1'"):
        liveness.claim("boot-1")
    claim.end()
    with another_process(url, "boot-1", 0):
        with pytest.raises(LedgerUnavailable, match="another process is owner 'boot-1'"):
            liveness.claim("boot-1")
        assert liveness.is_alive("boot-1")


def test_a_living_process_is_never_found_dead_and_a_killed_one_is(
    url: str, liveness: Liveness
) -> None:
    with another_process(url, "boot-1", 3) as process, opened(url, "boot-2") as ledger:
        for _ in range(LOOKS):
            assert liveness.is_alive("boot-1")
        assert ledger.sweep() == 0
        assert audit(url).open_reserves_live == 3
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not liveness.is_alive("boot-1")
        assert audit(url).open_reserves_dead == 3
        assert ledger.sweep() == 3
        assert ledger.sweep() == 0
        assert not liveness.is_alive("boot-1")
    assert {(r.ending, r.outcome, r.cost_nano_usd) for r in requests(url)} == {
        ("expire", "owner_died", 0)
    }
    assert audit(url).ok


def test_a_child_that_outlives_a_killed_owner_does_not_keep_it_alive(
    url: str, liveness: Liveness
) -> None:
    """Whatever a gateway starts holds nothing of it."""
    with another_process(url, "boot-1", 0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("child\n")
        process.stdin.flush()
        child = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        try:
            os.kill(child, 0)  # it is there
            assert not liveness.is_alive("boot-1")
        finally:
            os.kill(child, signal.SIGKILL)
