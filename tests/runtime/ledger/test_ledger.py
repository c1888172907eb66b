from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence

import pytest

from runtime.clock import Clock
from runtime.errors import LedgerUnavailable
from runtime.ledger import group_commit
from runtime.ledger.audit import audit
from runtime.ledger.ledger import Ledger
from runtime.ledger.open_store import open_store
from runtime.ledger.rows import Ending, Row
from runtime.ledger.store import Answer
from runtime.ledger.usage_report import report, requests
from tests.runtime.ledger.samples import opened, reserve, settle
from tests.runtime.ledger.store_kinds import StoreKind


async def test_an_attempt_has_one_reserve_and_one_ending(url: str) -> None:
    with opened(url) as ledger:
        await ledger.reserve(reserve("a"))
        assert await ledger.settle(settle("a"))
        assert not await ledger.settle(settle("a", ending=Ending.VOID, cost_nano_usd=0))
        assert ledger.counts.replays == 1
    (found,) = requests(url)
    assert (found.ending, found.cost_nano_usd) == ("settle", 1_234)


async def test_a_row_that_contradicts_the_ledger_fails_alone(url: str) -> None:
    with opened(url) as ledger:
        await ledger.reserve(reserve("a"))
        again, orphan, fine = await asyncio.gather(
            ledger.reserve(reserve("a", tenant="other")),
            ledger.settle(settle("a", attempt=2)),
            ledger.settle(settle("a")),
            return_exceptions=True,
        )
        assert isinstance(again, ValueError)
        assert isinstance(orphan, ValueError)
        assert fine is True
        assert ledger.healthy()
        assert ledger.counts.refused == 2
    assert [r.tenant for r in requests(url)] == ["acme"]


async def test_reserve_and_ending_may_share_a_commit(url: str) -> None:
    with opened(url) as ledger:
        results = await asyncio.gather(
            ledger.reserve(reserve("a")),
            ledger.settle(settle("a")),
            ledger.settle(settle("a")),
            ledger.reserve(reserve("a")),
            return_exceptions=True,
        )
    assert list(results[:3]) == [None, True, False]
    assert isinstance(results[3], ValueError)


async def test_only_its_own_owner_reserves(url: str) -> None:
    """Else the sweep would look for the wrong lock and end a living attempt."""
    with opened(url) as ledger, pytest.raises(ValueError, match="cannot reserve for"):
        await ledger.reserve(reserve("a", owner="boot-2"))
    assert report(url).total.attempts == 0


async def test_rows_that_wait_together_share_commits(url: str) -> None:
    with opened(url) as ledger:
        await asyncio.gather(*(ledger.reserve(reserve(f"r{n}")) for n in range(500)))
        assert ledger.counts.rows == 500
        assert ledger.counts.commits <= 20
    assert audit(url).open_reserves == 500


async def test_a_cancelled_waiter_loses_no_row(url: str) -> None:
    with opened(url) as ledger:
        tasks = [asyncio.create_task(ledger.reserve(reserve(f"r{n}"))) for n in range(50)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
            ledger.settle_detached(
                settle(f"r{tasks.index(task)}", ending=Ending.VOID, cost_nano_usd=0)
            )
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
    found = audit(url)
    assert (found.ok, found.rows, found.open_reserves) == (True, 100, 0)


def test_a_loop_that_ended_loses_no_row(url: str) -> None:
    async def leave_early(ledger: Ledger) -> None:
        tasks = [asyncio.create_task(ledger.reserve(reserve(f"r{n}"))) for n in range(50)]
        await asyncio.sleep(0)
        assert not all(task.done() for task in tasks)

    with opened(url) as ledger:
        asyncio.run(leave_early(ledger))
        asyncio.run(ledger.reserve(reserve("later")))
    assert audit(url).open_reserves == 51


async def test_a_full_queue_fails_closed_for_reserves_only(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "RESERVES_WAITING_MAX", 0)
    with opened(url) as ledger:
        with pytest.raises(LedgerUnavailable):
            await ledger.reserve(reserve("a"))
        with pytest.raises(ValueError, match="no reserve to end"):
            await ledger.settle(settle("a"))
        assert ledger.counts.queue_full == 1
        assert ledger.healthy()


async def test_close_writes_what_waits_and_then_refuses(url: str) -> None:
    with opened(url) as ledger:
        await ledger.reserve(reserve("a"))
        ledger.settle_detached(settle("a"))
        ledger.close()
        ledger.close()
        assert not ledger.healthy()
        with pytest.raises(LedgerUnavailable):
            await ledger.reserve(reserve("b"))
        with pytest.raises(LedgerUnavailable):
            ledger.settle_detached(settle("a"))
        with pytest.raises(LedgerUnavailable):
            ledger.sweep()
    assert requests(url)[0].ending == "settle"


async def test_sweep_ends_the_attempts_of_the_dead_only(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.ledger.ledger.SWEEP_ROWS_MAX", 2)
    with opened(url, "boot-1") as dead:
        for name in ("a", "b", "c", "d", "e"):
            await dead.reserve(reserve(name, bound_nano_usd=None if name == "a" else 5_000))
        await dead.settle(settle("e"))
    with opened(url, "boot-2") as living, opened(url, "boot-3") as sweeper:
        await living.reserve(reserve("f", owner="boot-2"))
        await sweeper.reserve(reserve("g", owner="boot-3"))
        assert sweeper.sweep() == 4
        assert sweeper.sweep() == 0
        assert living.sweep() == 0
        found = audit(url)
        assert (found.ok, found.open_reserves_live, found.open_reserves_dead) == (True, 2, 0)
        assert (found.expired, found.doubt_nano_usd, found.doubt_unbounded) == (4, 15_000, 1)
        assert not await sweeper.settle(settle("a"))
    ended = {r.request_id: (r.ending, r.outcome, r.cost_nano_usd) for r in requests(url)}
    assert ended["a"] == ("expire", "owner_died", 0)
    assert ended["f"] == (None, None, 0)


async def test_a_swept_attempt_ended_when_it_was_swept(url: str) -> None:
    with opened(url, "boot-1") as dead:
        row = reserve("a")
        await dead.reserve(row)
    clock = Clock(unix_ms=lambda: row.at_ms + 7_500)
    sweeper = Ledger.open(url, owner="boot-2", clock=clock)
    assert sweeper.sweep() == 1
    sweeper.close()
    with open_store(url).reading() as reading:
        (found,) = reading.attempts()
    assert (found.ending, found.e2e_ms) == ("expire", 7_500)
    assert found.ended_at_ms == row.at_ms + 7_500


async def test_a_swept_owner_leaves_no_lock(url: str) -> None:
    with opened(url, "boot-1") as dead:
        await dead.reserve(reserve("a"))
    lock = open_store(url).host_file("owners") / "boot-1.lock"
    lock.touch()  # as after a kill, which removes nothing
    with opened(url, "boot-2") as sweeper:
        assert sweeper.sweep() == 1
        assert not lock.exists()


async def test_a_failed_commit_is_final(
    kind: StoreKind, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(url, "boot-1") as ledger, opened(url, "boot-2") as other:
        await ledger.reserve(reserve("a"))
        kind.fill(ledger)
        results = await asyncio.gather(
            *(ledger.reserve(reserve(f"r{n}", reason="x" * 1000)) for n in range(100)),
            return_exceptions=True,
        )
        assert all(isinstance(result, LedgerUnavailable) for result in results)
        assert str(results[0]) == LedgerUnavailable.says  # no path, no cause: clients see it
        assert not ledger.healthy()
        assert (
            ledger.failure
            == f"ledger {ledger.store.name}: the disk is full; free space, then restart"
        )
        assert ledger.failure in caplog.text
        with pytest.raises(LedgerUnavailable):
            await ledger.settle(settle("a"))
        assert other.healthy()
        await other.reserve(reserve("b", owner="boot-2"))
    found = audit(url)
    assert (found.ok, found.rows, found.open_reserves_dead) == (True, 2, 2)


async def test_a_busy_loop_does_not_starve_the_writer(url: str) -> None:
    """It never waits, and lets go of the interpreter only for calls that are too short."""

    async def spin() -> None:
        while True:
            until = loop.time() + 0.001
            while loop.time() < until:
                pass
            await asyncio.sleep(0)

    loop = asyncio.get_running_loop()
    with opened(url) as ledger:
        spinning = asyncio.create_task(spin())
        async with asyncio.timeout(5):
            for turn in range(5):
                rows = (reserve(f"r{turn}-{n}") for n in range(64))
                await asyncio.gather(*(ledger.reserve(row) for row in rows))
        spinning.cancel()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_writer_that_dies_of_a_defect_is_not_healthy(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(rows: Sequence[Row]) -> list[Answer]:
        raise RuntimeError("a defect")

    with opened(url) as ledger:
        monkeypatch.setattr(ledger._writer._appender, "append", defect)
        with pytest.raises(LedgerUnavailable):
            await ledger.reserve(reserve("a"))
        assert not ledger.healthy()
        assert "died of a defect" in str(ledger.failure)
        with pytest.raises(LedgerUnavailable):
            await ledger.reserve(reserve("b"))


async def test_an_owner_whose_name_was_lost_writes_no_more(url: str) -> None:
    """Others take it for dead, and end its attempts."""
    with opened(url) as ledger:
        await ledger.reserve(reserve("a"))

        class Lost:
            def renew(self) -> None:
                raise LedgerUnavailable("another process is owner 'boot-1'")

            def end(self) -> None: ...

        held, ledger._claim = ledger._claim, Lost()
        with pytest.raises(LedgerUnavailable, match="another process is owner"):
            ledger.sweep()
        assert not ledger.healthy()
        assert ledger.failure == f"ledger {ledger.store.name}: another process is owner 'boot-1'"
        with pytest.raises(LedgerUnavailable):
            await ledger.reserve(reserve("b"))
        held.end()
    assert audit(url).rows == 1


async def test_where_nobody_knows_who_lives_nothing_is_ended(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again later: what failed may be for a moment only."""

    def no_file_is_free(owner: str) -> bool:
        raise OSError(errno.EMFILE, "Too many open files")

    with opened(url, "boot-1") as dead:
        await dead.reserve(reserve("a"))
    with opened(url, "boot-2") as ledger:
        with monkeypatch.context() as for_a_moment:
            for_a_moment.setattr(ledger.store.liveness, "is_alive", no_file_is_free)
            with pytest.raises(LedgerUnavailable, match="too many open files"):
                ledger.sweep()
        assert ledger.healthy()
        assert audit(url).open_reserves_dead == 1
        assert ledger.sweep() == 1
