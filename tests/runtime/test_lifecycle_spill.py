"""What may be bought and for how much, and who is served first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runtime.engine.script import Fault, Script
from tests.runtime.parts import Stack, chat, routing_of, stack, until

HANGS = Script(fault=Fault.HANG)
SLOW = Script(token_s=0.03)
FULL: dict[str, Any] = {"running_max": 1, "sells": True}
NOW = "1"  # a latency budget in ms
LATER = "600000"


@asynccontextmanager
async def _filled(s: Stack, max_tokens: int = 5) -> AsyncIterator[None]:
    """While one request takes the only place of the replica."""
    before = s.asked
    filling = asyncio.ensure_future(s.post(chat("fill", max_tokens=max_tokens)))
    await until(lambda: s.asked == before + 1)
    try:
        yield
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)


def _spilled_nano(s: Stack) -> int:
    return s.gateway._scheduler.snapshot(time.monotonic()).spill_nano_last_hour


@pytest.mark.parametrize(
    ("config", "terms"),
    [
        ({"spill": {"usd_per_hour_max": "0.000001"}}, {}),
        (
            {"tenants": {"acme": {"key_sha256": ["0" * 64], "spill_usd_per_hour_max": "0.000001"}}},
            {},
        ),
        ({}, {"tokens_per_min_max": 1}),
    ],
)
async def test_at_a_cap_it_waits_and_is_then_refused_with_a_time_to_come_back(
    tmp_path: Path, config: dict[str, object], terms: dict[str, object]
) -> None:
    config = {**config, "queue": {"wait_ms_max": 300}}
    async with stack(tmp_path, scripts=[HANGS], config=config, terms=terms, **FULL) as s:
        async with _filled(s):
            answer = await s.post(chat("buy"), X_Baseload_Latency_Budget_Ms=NOW)
            assert answer.status == 429
            assert int(answer.headers["retry-after"]) >= 1
            assert "x-should-retry" not in answer.headers
            assert answer.headers["x-baseload-reason"] == "spill_capped"
            assert (await answer.json())["error"]["code"] == "spill_capped"
        assert not s.vendor.engine.asked
        assert len(s.rows()) == 1
        await s.idle()


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("mark", ["", "[fault:reject]", "[fault:die:2]", "[fault:server_error]"])
async def test_the_caps_count_what_the_ledger_settles(
    tmp_path: Path, mark: str, streamed: bool
) -> None:
    async with stack(tmp_path, scripts=[], sells=True) as s:
        answer = await s.post(chat(mark, stream=streamed, max_tokens=50))
        await answer.read()
        await s.idle()
        row = s.row()
        assert row.target == "offer:stand-in/tiny-moe"
        assert (row.cost_nano_usd > 0) == (mark != "[fault:reject]")
        assert _spilled_nano(s) == row.cost_nano_usd


async def test_a_purchase_counts_with_its_most_while_it_runs(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[], vendor=Script(token_s=0.02), sells=True) as s:
        answer = await s.post(chat(stream=True, max_tokens=1_000))
        await answer.content.readany()
        most_nano = _spilled_nano(s)
        assert most_nano >= 1_000 * 400
        answer.close()
        await s.idle()
        assert 0 < s.row().cost_nano_usd == _spilled_nano(s) < most_nano


@pytest.mark.parametrize("sensitivity", ["pii", "regulated"])
async def test_personal_and_regulated_data_stay_here(tmp_path: Path, sensitivity: str) -> None:
    async with stack(tmp_path, scripts=[SLOW], **FULL) as s:
        async with _filled(s, max_tokens=10):
            tags = {"X_Baseload_Sensitivity": sensitivity, "X_Baseload_Latency_Budget_Ms": NOW}
            answer = await s.post(chat("secret"), **tags)
            assert answer.headers["x-baseload-target"] == "local:r1"
            assert answer.headers["x-baseload-reason"] == "held"
        s.gateway.set_replicas([])
        await until(lambda: not s.gateway.locals)
        asking = asyncio.ensure_future(s.post(chat("secret"), **tags))
        await asyncio.sleep(0.3)  # a replica is expected back
        assert not s.vendor.engine.asked
        assert not asking.done()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await s.idle()


async def test_without_a_replica_what_must_stay_is_refused(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[], sells=True) as s:
        answer = await s.post(chat("secret"), X_Baseload_Sensitivity="pii")
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["x-baseload-reason"] == "no_target"
        assert not s.vendor.engine.asked
        assert (await s.post(chat("open"), X_Baseload_Sensitivity="internal")).status == 200


async def test_a_provider_that_may_have_it_gets_it(tmp_path: Path) -> None:
    terms = {"allowed_sensitivity": ["pii"]}
    async with stack(tmp_path, scripts=[], sells=True, terms=terms) as s:
        assert (await s.post(chat(), X_Baseload_Sensitivity="pii")).status == 200
        for other in ("public", "internal", "regulated"):
            assert (await s.post(chat(), X_Baseload_Sensitivity=other)).status == 503
        assert len(s.vendor.engine.asked) == 1


async def test_a_tenant_that_may_spend_nothing_buys_nothing(tmp_path: Path) -> None:
    tenants = {"acme": {"key_sha256": ["0" * 64], "spill_usd_per_hour_max": "0"}}
    async with stack(tmp_path, scripts=[], sells=True, config={"tenants": tenants}) as s:
        answer = await s.post(chat())
        assert (answer.status, s.asked) == (503, 0)


async def test_what_is_forbidden_while_it_waits_is_not_bought(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(token_s=0.02)], **FULL) as s:
        async with _filled(s, max_tokens=100):
            # It would be bought at the latest sensible moment: after some 0.4 s.
            asking = asyncio.ensure_future(s.post(chat(), X_Baseload_Latency_Budget_Ms="1500"))
            await until(lambda: s.in_books() == 2)
            s.gateway.reconfigure(routing_of(s.vendor, {}, {"allowed_sensitivity": ["public"]}))
            answer = await asking
        assert answer.headers["x-baseload-target"] == "local:r1"
        assert answer.headers["x-baseload-reason"] == "retry"
        assert not s.vendor.engine.asked


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_the_batch_lane_outlasts_the_queues_bound_and_fills_a_valley(tmp_path: Path) -> None:
    bound = {"queue": {"wait_ms_max": 100}}
    async with stack(tmp_path, scripts=[SLOW], config=bound, **FULL) as s:
        async with _filled(s, max_tokens=20):
            answer = await s.post(chat("batch"), X_Baseload_Deadline=_in(3_600))
        assert answer.headers["x-baseload-reason"] == "valley"
        assert int(answer.headers["x-baseload-held-ms"]) > 300
        row = s.rows()[-1]
        assert (row.reason, row.target) == ("valley", "local:r1")


async def test_the_batch_lane_is_bought_when_its_deadline_leaves_no_choice(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[HANGS], **FULL) as s, _filled(s):
        answer = await s.post(chat("batch"), X_Baseload_Deadline=_in(2))
        assert answer.headers["x-baseload-target"] == "offer:stand-in/tiny-moe"
        assert answer.headers["x-baseload-reason"].startswith("spill_")
        assert 300 < int(answer.headers["x-baseload-held-ms"]) < 2_000


@pytest.mark.parametrize("seconds", [-10, 25 * 3_600])
async def test_a_deadline_out_of_bounds_is_named(tmp_path: Path, seconds: float) -> None:
    async with stack(tmp_path) as s:
        answer = await s.post(chat(), X_Baseload_Deadline=_in(seconds))
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == "x-baseload-deadline"
        assert s.asked == 0


async def test_premium_goes_first_and_economy_last(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[SLOW], running_max=1) as s:
        tiers = ("economy", "standard", "premium")
        asking: list[asyncio.Task[aiohttp.ClientResponse]] = []
        async with _filled(s, max_tokens=10):
            for tier in tiers:
                waits = s.post(
                    chat(tier), X_Baseload_Cost_Tier=tier, X_Baseload_Latency_Budget_Ms=LATER
                )
                asking.append(asyncio.ensure_future(waits))
                await until(lambda: s.in_books() == 1 + len(asking))
            await asyncio.gather(*asking)
        told = [asked.body["messages"][0]["content"] for asked in s.replicas[0].engine.asked]
        assert told == ["fill", "premium", "standard", "economy"]


async def test_a_whole_answer_says_nothing_of_a_vendors_first_token(tmp_path: Path) -> None:
    vendor = Script(token_s=0.15)
    async with stack(tmp_path, scripts=[], vendor=vendor, sells=True) as s:
        (book,) = s.gateway._scheduler._offers.values()
        await (await s.post(chat())).read()
        assert book.ttft_mean_s is None
        await (await s.post(chat(stream=True))).read()
        assert book.ttft_mean_s is not None
        assert 0.1 < book.ttft_mean_s < 0.6
