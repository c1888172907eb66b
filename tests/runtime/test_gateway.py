"""Membership, configuration and the end of a gateway, on scripted replicas."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from models.price_book import load_price_book
from runtime.config import load_config
from runtime.engine.fault_script import Fault, Reports, Script
from runtime.errors import LedgerUnavailable
from runtime.gateway import SETTLE_S_MAX, Gateway
from runtime.ledger.ledger import Ledger
from runtime.request_limits import refusals
from scheduler.arrival import Arrival
from tests.runtime.parts import MODEL, PATIENCE_S, chat, serving, stack, until
from tests.runtime.virtual_time import now_s, run_in_virtual_time

HANGS = Script(fault=Fault.HANG)


async def test_ready_when_a_request_would_be_served(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[]) as s:
        assert not s.gateway.ready()
        async with serving("late") as late:
            s.gateway.set_replicas([late.endpoint])
            await until(s.gateway.ready)
            assert (await s.post(chat())).headers["x-baseload-target"] == "local:late"
            s.gateway.set_replicas([])
            await until(lambda: not s.gateway.ready())


async def test_a_replica_of_another_model_is_left_alone(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        other = s.replicas[0].facts.model_copy(update={"model": "other"})
        async with serving("odd", facts=other) as odd:
            s.gateway.set_replicas([s.replicas[0].endpoint, odd.endpoint])
            await asyncio.sleep(0.05)
            assert list(s.gateway.locals) == ["r1"]


async def test_a_replica_that_is_delisted_and_listed_again_comes_back(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        endpoint = s.replicas[0].endpoint
        s.gateway.set_replicas([])
        s.gateway.set_replicas([endpoint])
        await until(lambda: "r1" in s.gateway.locals)
        await asyncio.sleep(0.05)
        s.gateway.set_replicas([endpoint])
        assert (await s.post(chat())).status == 200
        s.gateway.set_replicas([])
        await until(lambda: not s.gateway.locals)


async def test_a_dead_replica_leaves_at_once_and_its_successor_is_joined(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[]) as s, serving("a") as first:
        s.gateway.set_replicas([first.endpoint])
        await until(lambda: "a" in s.gateway.locals)
        for connection in list(first.server._server.server_state.connections):
            connection.transport.abort()
        await until(lambda: "a" not in s.gateway.locals, 1.0)
        await until(lambda: "a" in s.gateway.locals)
        assert (await s.post(chat())).status == 200


@pytest.mark.parametrize("reports", [Reports.NONE, Reports.ABSURD])
async def test_bad_load_reports_slow_a_replica_down_but_do_not_lose_it(
    tmp_path: Path, reports: Reports
) -> None:
    unreadable = refusals["load_report_unreadable"]
    async with stack(tmp_path, scripts=[Script(reports=reports, token_s=0.005)]) as s:
        answers = await asyncio.gather(*(s.post(chat(str(n))) for n in range(12)))
        assert [answer.status for answer in answers] == [200] * 12
        if reports is Reports.ABSURD:
            await until(lambda: refusals["load_report_unreadable"] >= unreadable + 4)
        assert "r1" in s.gateway.locals


async def test_a_load_stream_that_breaks_is_opened_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with stack(tmp_path) as s:
        engine = s.replicas[0].engine
        async with serving("odd", script=Script(reports=Reports.ENDLESS)) as odd:
            s.gateway.set_replicas([s.replicas[0].endpoint, odd.endpoint])
            await until(lambda: "odd: load stream lost (a line without an end)" in caplog.text)
            assert "odd" not in s.gateway.locals
            odd.engine.script = engine.script
            await until(lambda: "odd" in s.gateway.locals)
            assert (await s.post(chat())).status == 200


async def test_reconfigure_keeps_who_runs_and_who_waits(tmp_path: Path) -> None:
    scripts = [Script(token_s=0.03)]
    async with stack(tmp_path, scripts=scripts, sells=True, max_num_seqs=1) as s:
        first = asyncio.ensure_future(s.post(chat("one", max_tokens=10)))
        await until(lambda: s.asked == 1)
        second = asyncio.ensure_future(s.post(chat("two"), X_Baseload_Latency_Budget_Ms="600000"))
        await until(lambda: s.in_books() == 2)
        s.gateway.reconfigure(load_config({"queue": {"requests_max": 5}}))
        assert s.gateway.accounts == {}
        assert (await first).status == 200
        assert (await second).headers["x-baseload-reason"] == "held"


async def test_an_offer_that_goes_while_it_is_used_is_paid_at_its_price(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[], vendor=Script(token_s=0.02), sells=True) as s:
        asking = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 1)
        s.gateway.reconfigure(load_config({}))
        assert (await asking).status == 200
        row = s.row()
        assert row.target == "offer:stand-in/tiny-moe"
        assert row.cost_nano_usd > 0
        assert (await s.post(chat())).status == 503  # nobody serves the model any more


async def test_draining_lets_the_running_finish_and_refuses_the_new(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(token_s=0.05)]) as s:
        running = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 1)
        closing = asyncio.ensure_future(s.gateway.close(drain_s_max=5))
        await until(lambda: s.gateway.draining)
        refused = await s.post(chat())
        assert refused.status == 503
        assert (await refused.json())["error"]["code"] == "draining"
        assert not s.gateway.ready()
        assert (await running).status == 200
        await closing
        assert s.row().outcome == "ok"


def test_a_drain_ends_with_the_last_request_or_in_its_time(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.db", owner="test")

    async def drained_s(last_ends_s: float) -> float:
        gateway = Gateway(load_config({}), (), load_price_book(), ledger)

        async def request(takes_s: float) -> None:
            with gateway.in_flight.one():
                await asyncio.sleep(takes_s)

        requests = [asyncio.ensure_future(request(takes_s)) for takes_s in (0.5, last_ends_s)]
        await asyncio.sleep(0)
        await gateway.drain(5.0)
        ended_s = now_s()
        await asyncio.gather(*requests)
        gateway._clocks.close()
        return ended_s

    assert run_in_virtual_time(drained_s(1.0)) == pytest.approx(1.0)
    assert run_in_virtual_time(drained_s(6.0)) == pytest.approx(6.0)
    assert run_in_virtual_time(drained_s(60.0)) == pytest.approx(5.0 + SETTLE_S_MAX)
    ledger.close()


async def test_what_outlasts_the_drain_is_ended_told_and_billed(tmp_path: Path) -> None:
    script = Script(fault=Fault.HANG, after_tokens=2)
    async with stack(tmp_path, scripts=[script], max_num_seqs=2) as s:
        stream = await s.post(chat(stream=True))
        silent = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 2)
        held = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.in_books() == 3)
        async with asyncio.timeout(PATIENCE_S):
            await s.gateway.close(drain_s_max=0.2)
        frames = (await stream.read()).split(b"\n\n")
        assert json.loads(frames[-2][6:])["error"]["code"] == "draining"
        assert (await silent).status == 503
        assert (await held).status == 503
        assert {row.ending for row in s.rows()} == {"settle"}
        assert s.in_books() == 0


async def test_models_are_those_of_pools_and_offers(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[], sells=True) as s:
        assert s.gateway.models() == [MODEL]
        assert [model.id async for model in s.openai.models.list()] == [MODEL]


async def test_a_replica_that_fails_again_and_again_is_left_alone(tmp_path: Path) -> None:
    broken, good = Script(fault=Fault.SERVER_ERROR), Script()
    async with stack(tmp_path, scripts=[broken, good]) as s:
        for _ in range(20):
            assert (await s.post(chat())).status == 200
        assert len(s.replicas[0].engine.asked) <= 6


async def test_an_action_for_a_caller_who_has_left_gives_its_room_back(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        now = s.gateway.clock.monotonic_s()
        asked = Arrival("gone", "acme", MODEL, 10, 5, 5, 2_000)
        actions = s.gateway._scheduler.on_arrival(asked, now)  # nobody waits for its answer
        assert s.in_books() == 1
        s.gateway._apply(actions)
        assert s.in_books() == 0


async def test_a_ledger_that_cannot_be_read_for_a_moment_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what other gateways buy would count no more towards the caps, and nobody would know."""
    monkeypatch.setattr("runtime.ledger_sweep.SWEEP_S", 0.01)
    looks = 0
    async with stack(tmp_path) as s:
        sweep = s.gateway.ledger.sweep

        def unreadable_at_first() -> int:
            nonlocal looks
            looks += 1
            if looks < 3:
                raise LedgerUnavailable
            return sweep()

        monkeypatch.setattr(s.gateway.ledger, "sweep", unreadable_at_first)
        await until(lambda: looks > 3)
        assert s.gateway.ready()
        s.gateway.ledger._writer.fail("the disk is full")
        await until(lambda: not s.gateway._background.runs("sweep"))
