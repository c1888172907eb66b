"""kill -9 at random points: whatever was acknowledged is there, once, and every attempt ends.

BASELOAD_CRASH_CYCLES and BASELOAD_CRASH_SEED set how often and where.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.ledger.audit import audit
from runtime.ledger.usage_report import report, requests
from tests.runtime.ledger.samples import opened
from tests.runtime.ledger.test_processes import ROOT, worker

CYCLES = int(os.environ.get("BASELOAD_CRASH_CYCLES", "25"))
SEED = int(os.environ.get("BASELOAD_CRASH_SEED", str(random.SystemRandom().randrange(10**6))))


@contextmanager
def lives(url: str) -> Iterator[subprocess.Popen[str]]:
    command = worker("lives", url, "boot", SEED)
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def one_life(process: subprocess.Popen[str], chance: random.Random) -> list[str]:
    """Let it live for a random number of acknowledgements and a moment; what it said."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("live\n")
    process.stdin.flush()
    said: list[str] = []
    pid, acks_max = 0, chance.randrange(0, 60)
    while len(said) < acks_max or not pid:
        line = process.stdout.readline().split()
        if line[0] == "born":
            pid = int(line[1])
        else:
            said.append(" ".join(line))
    time.sleep(chance.random() * 0.003)  # anywhere inside a transaction, a flush, a reply
    os.kill(pid, signal.SIGKILL)
    while (line := process.stdout.readline().split())[0] != "dead":
        said.append(" ".join(line))
    return said


def stored(url: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"reserve": set(), "settle": set(), "void": set()}
    for request in requests(url):
        found["reserve"].add(request.request_id)
        if request.ending in ("settle", "void"):
            found[request.ending].add(f"{request.request_id} {request.cost_nano_usd}")
    return found


def test_acknowledged_rows_survive_any_kill(url: str) -> None:
    print(f"BASELOAD_CRASH_SEED={SEED} BASELOAD_CRASH_CYCLES={CYCLES}")
    chance = random.Random(SEED)
    acknowledged: list[str] = []
    with lives(url) as process:
        for cycle in range(CYCLES):
            acknowledged += one_life(process, chance)
            check(url, acknowledged, cycle)
    assert len(acknowledged) > CYCLES


def check(url: str, acknowledged: list[str], cycle: int) -> None:
    with opened(url, f"check-{cycle}") as ledger:
        open_before = report(url).total.open_attempts
        assert ledger.sweep() == open_before
    found = audit(url)
    assert found.problems == []
    assert found.open_reserves == 0
    there = stored(url)
    ended = found.expired + len(there["settle"]) + len(there["void"])
    assert ended == len(there["reserve"])
    for line in acknowledged:
        kind, what = line.split(" ", 1)
        assert what in there[kind], line
    assert len(acknowledged) == len(set(acknowledged))
