"""Clocks in a file: any gateways, any order of events, any death among them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import LedgerUnavailable
from runtime.ledger.open_store import open_store
from runtime.request_limits import refusals
from runtime.targets import replica_clocks
from runtime.targets.replica_clocks import GATEWAYS_MAX, SharedClock, SharedClocks


@contextmanager
def _ledgers() -> Iterator[Path]:
    """A folder for each example of a property."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "ledger.db"


@contextmanager
def _alive(ledger: Path, owner: str) -> Iterator[None]:
    claim = open_store(ledger).liveness.claim(owner)
    try:
        yield
    finally:
        claim.end()


class _Gateway:
    """The clocks of one process, and its requests: the replica, the clock and the mark of each."""

    def __init__(self, ledger: Path, owner: str) -> None:
        self.life = ExitStack()
        self.life.enter_context(_alive(ledger, owner))
        self.clocks = SharedClocks.open(open_store(ledger), owner)
        self.requests: list[tuple[str, SharedClock, int]] = []
        self.known: dict[str, SharedClock] = {}

    def start(self, replica: str, now_ns: int) -> None:
        clock = self.known.setdefault(replica, self.clocks.clock(replica, 1))
        self.requests.append((replica, clock, clock.start(now_ns)))

    def lose_from_sight(self, replica: str) -> None:
        """Requests that it has there go on; what comes later has a clock object of its own."""
        self.known.pop(replica, None)

    def die(self) -> None:
        os.close(self.clocks._file)
        self.clocks._file = -1
        self.life.close()

    def close(self) -> None:
        self.clocks.close()
        self.life.close()


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 10**9),  # ns since the one before
        st.sampled_from(["start", "start", "stop", "stop", "lose"]),
        st.booleans(),  # which gateway
        st.sampled_from(["r1", "r2"]),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(EVENTS)
def test_shares_of_all_gateways_add_up_to_the_busy_time_of_each_replica(
    events: list[tuple[int, str, bool, str, int]],
) -> None:
    """To the nanosecond, whatever is joined, left, lost from sight and found again."""
    now, busy_ns, shares_ns = 5, dict.fromkeys(("r1", "r2"), 0), 0
    with _ledgers() as ledger:
        gateways = _Gateway(ledger, "old"), _Gateway(ledger, "new")
        ends = [(7, "stop", which, "r1", 0) for which in (False, True) for _ in range(60)]
        for elapsed_ns, event, is_new, replica, number in [*events, *ends]:
            now += elapsed_ns
            for name in {each[0] for gateway in gateways for each in gateway.requests}:
                busy_ns[name] += elapsed_ns
            gateway = gateways[is_new]
            if event == "start":
                gateway.start(replica, now)
            elif event == "lose":
                gateway.lose_from_sight(replica)
            elif gateway.requests:
                _, clock, mark = gateway.requests.pop(number % len(gateway.requests))
                share_ns = clock.stop(mark, now)
                assert share_ns >= 0
                shares_ns += share_ns
        for gateway in gateways:
            gateway.close()
    assert shares_ns == sum(busy_ns.values())


@given(EVENTS, EVENTS)
def test_a_gateway_that_dies_takes_its_shares_with_it_and_no_others(
    before: list[tuple[int, str, bool, str, int]], after: list[tuple[int, str, bool, str, int]]
) -> None:
    now, busy_ns, shares_ns = 5, 0, 0
    with _ledgers() as ledger:
        mortal, other = _Gateway(ledger, "mortal"), _Gateway(ledger, "other")
        ends = [(7, "stop", False, "", 0)] * 120
        for number, (elapsed_ns, event, is_mortal, _, which) in enumerate([*before, *after, *ends]):
            if number == len(before):
                mortal.die()
                other.clocks.forget_dead()
            is_dead = number >= len(before)
            now += elapsed_ns
            busy_ns += elapsed_ns if other.requests or (mortal.requests and not is_dead) else 0
            gateway = mortal if is_mortal and not is_dead else other
            if event == "start":
                gateway.start("r1", now)
            elif event == "stop" and gateway.requests:
                _, clock, mark = gateway.requests.pop(which % len(gateway.requests))
                shares_ns += clock.stop(mark, now)
        assert shares_ns <= busy_ns
        alone = other.clocks.clock("r1", 1)  # nobody else's requests are left on it
        assert alone.stop(alone.start(now), now + 1_000) == 1_000
        other.close()


def test_what_died_between_two_gateways_is_taken_off_by_the_next_to_open(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    dead, alive = _Gateway(ledger, "dead"), _Gateway(ledger, "alive")
    dead.start("r1", 1_000)
    alive.start("r1", 1_000)
    dead.die()
    following = _Gateway(ledger, "following")
    assert following.clocks.place == dead.clocks.place
    _, clock, mark = alive.requests.pop()
    assert clock.stop(mark, 2_000) == 1_000
    following.close()
    alive.close()


def test_the_first_to_open_finds_no_clocks_of_those_that_have_gone(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    dead = _Gateway(ledger, "dead")
    dead.start("r1", 10**15)
    dead.die()
    first = _Gateway(ledger, "first")
    clock = first.clocks.clock("r1", 1)
    assert clock.stop(clock.start(50), 90) == 40
    first.close()


def test_clocks_of_an_earlier_boot_of_the_machine_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, boot = tmp_path / "ledger.db", tmp_path / "boot_id"
    boot.write_text("one")
    monkeypatch.setattr(replica_clocks, "BOOT_ID", boot)
    before = _Gateway(ledger, "before")
    before.start("r1", 10**15)
    boot.write_text("two")
    after = _Gateway(ledger, "after")
    clock = after.clocks.clock("r1", 1)
    assert clock.stop(clock.start(50), 90) == 40
    after.close()
    before.die()


def test_a_boot_of_a_replica_is_a_clock_of_its_own(tmp_path: Path) -> None:
    gateway = _Gateway(tmp_path / "ledger.db", "only")
    clocks = [gateway.clocks.clock(*of) for of in (("r1", 1), ("r1", 2), ("r1-1", 1))]
    marks = [clock.start(0) for clock in clocks]
    assert [clock.stop(mark, 9) for clock, mark in zip(clocks, marks, strict=True)] == [9, 9, 9]
    gateway.close()


def test_when_all_are_in_use_idle_clocks_give_way_and_busy_ones_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_clocks, "SHARE_CLOCKS_MAX", 2)
    gateway = _Gateway(tmp_path / "ledger.db", "only")
    clocks = [gateway.clocks.clock("r", number) for number in range(4)]
    marks = [clocks[0].start(0), clocks[1].start(0)]
    counted = refusals["share_clocks_max"]
    with pytest.raises(LedgerUnavailable):
        clocks[2].start(3)
    assert refusals["share_clocks_max"] == counted + 1
    assert clocks[0].stop(marks[0], 10) == 10
    assert clocks[3].stop(clocks[3].start(20), 25) == 5
    assert clocks[1].stop(marks[1], 30) == 30
    gateway.close()


def test_one_gateway_too_many_is_told_so(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    gateways = [_Gateway(ledger, f"g{number}") for number in range(GATEWAYS_MAX)]
    with _alive(ledger, "more"), pytest.raises(LedgerUnavailable, match="8 gateways"):
        SharedClocks.open(open_store(ledger), "more")
    gateways.pop().close()
    _Gateway(ledger, "more").close()
    for gateway in gateways:
        gateway.close()


def test_a_lock_that_is_never_let_go_of_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_clocks, "LOCK_TRIES_MAX", 3)
    gateway, frozen = (_Gateway(tmp_path / "ledger.db", name) for name in ("a", "b"))
    gateway.start("r1", 0)
    _, clock, mark = gateway.requests.pop()
    with frozen.clocks:
        with pytest.raises(LedgerUnavailable):
            clock.start(1)
        assert clock.stop(mark, 1) == 0
        gateway.clocks.forget_dead()  # it will be asked again
    frozen.close()
    gateway.close()


def test_who_is_late_finds_no_file(tmp_path: Path) -> None:
    gateway = _Gateway(tmp_path / "ledger.db", "only")
    gateway.start("r1", 0)
    gateway.close()
    _, clock, mark = gateway.requests.pop()
    assert clock.stop(mark, 5) == 0
    with pytest.raises(LedgerUnavailable):
        clock.start(6)


def test_two_processes_share_one_replicas_time(tmp_path: Path) -> None:
    """Each says what it was billed for, and from when to when it was there."""
    command = [sys.executable, "-m", "tests.runtime.clock_worker", str(tmp_path / "ledger.db")]
    processes = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    shares_ns, began_ns, ended_ns = zip(*(map(int, each) for each in said), strict=True)
    assert sum(shares_ns) <= max(ended_ns) - min(began_ns)
