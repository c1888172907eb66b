"""What may be bought and for how much, and who is served first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.fault_script import Script
from tests.runtime.hand import Hand
from tests.runtime.parts import Stack, chat, routing_of, stack, until

FULL: dict[str, Any] = {"max_num_seqs": 1, "sells": True}
NOW = "1"  # a latency budget in ms
LATER = "600000"
QUEUE_WAIT_S = 30.0


@asynccontextmanager
async def _filled(s: Stack) -> AsyncIterator[None]:
    """While one request takes the only place of the replica, until its turnstile is opened."""
    before = s.asked
    turnstile = s.replicas[0].engine.turnstile
    turnstile.hold()
    filling = asyncio.ensure_future(s.post(chat("fill")))
    await until(lambda: s.asked == before + 1)
    try:
        yield
    finally:
        turnstile.open()
        assert (await filling).status == 200


async def _held(s: Stack, body: dict[str, Any], **tags: str) -> asyncio.Task[Any]:
    """A request that waits in the queue."""
    before = s.in_books()
    asking = asyncio.ensure_future(s.post(body, **tags))
    await until(lambda: s.in_books() == before + 1 or asking.done())
    assert not asking.done()
    return asking


def _spilled_nano(s: Stack) -> int:
    return s.gateway._scheduler.snapshot(s.gateway.clock.monotonic_s()).spill_nano_last_hour


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
    hand = Hand()
    async with stack(tmp_path, config=config, terms=terms, clock=hand.clock, **FULL) as s:
        async with _filled(s):
            asking = await _held(s, chat("buy"), X_Baseload_Latency_Budget_Ms=NOW)
            hand.move(s, QUEUE_WAIT_S - 0.1)
            await asyncio.sleep(0)
            assert not asking.done()
            hand.move(s, 0.2)
            answer = await asking
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
    hand = Hand()
    async with stack(tmp_path, clock=hand.clock, **FULL) as s:
        tags = {"X_Baseload_Sensitivity": sensitivity, "X_Baseload_Latency_Budget_Ms": NOW}
        async with _filled(s):
            asking = await _held(s, chat("secret"), **tags)
            hand.move(s, QUEUE_WAIT_S / 2)
        answer = await asking
        assert answer.headers["x-baseload-target"] == "local:r1"
        assert answer.headers["x-baseload-reason"] == "held"
        s.gateway.set_replicas([])
        await until(lambda: not s.gateway.locals)
        asking = await _held(s, chat("secret"), **tags)  # a replica is expected back
        hand.move(s, QUEUE_WAIT_S / 2)
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
    hand = Hand()
    async with stack(tmp_path, clock=hand.clock, **FULL) as s:
        async with _filled(s):
            asking = await _held(s, chat(), X_Baseload_Latency_Budget_Ms="1500")
            s.gateway.reconfigure(routing_of(s.vendor, {}, {"allowed_sensitivity": ["public"]}))
            hand.move(s, 1.5)  # it would have been bought by now
        answer = await asking
        assert answer.headers["x-baseload-target"] == "local:r1"
        assert answer.headers["x-baseload-reason"] == "retry"
        assert not s.vendor.engine.asked


async def test_the_batch_lane_outlasts_the_queues_bound_and_fills_a_valley(tmp_path: Path) -> None:
    hand = Hand()
    async with stack(tmp_path, clock=hand.clock, **FULL) as s:
        async with _filled(s):
            asking = await _held(s, chat("batch"), X_Baseload_Deadline=hand.after(3_600))
            hand.move(s, 2 * QUEUE_WAIT_S)
        answer = await asking
        assert answer.headers["x-baseload-reason"] == "valley"
        assert answer.headers["x-baseload-held-ms"] == str(round(2_000 * QUEUE_WAIT_S))
        row = s.rows()[-1]
        assert (row.reason, row.target) == ("valley", "local:r1")


async def test_the_batch_lane_is_bought_when_its_deadline_leaves_no_choice(tmp_path: Path) -> None:
    hand = Hand()
    async with stack(tmp_path, clock=hand.clock, **FULL) as s, _filled(s):
        asking = await _held(s, chat("batch"), X_Baseload_Deadline=hand.after(2))
        for _ in range(19):
            hand.move(s, 0.1)
        answer = await asking
        assert answer.headers["x-baseload-target"] == "offer:stand-in/tiny-moe"
        assert answer.headers["x-baseload-reason"].startswith("spill_")
        assert 300 < int(answer.headers["x-baseload-held-ms"]) < 2_000


@pytest.mark.parametrize("seconds", [-10, 25 * 3_600])
async def test_a_deadline_out_of_bounds_is_named(tmp_path: Path, seconds: float) -> None:
    async with stack(tmp_path) as s:
        answer = await s.post(chat(), X_Baseload_Deadline=Hand().after(seconds))
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == "x-baseload-deadline"
        assert s.asked == 0


async def test_premium_goes_first_and_economy_last(tmp_path: Path) -> None:
    async with stack(tmp_path, max_num_seqs=1) as s:
        tiers = ("economy", "standard", "premium")
        later = {"X_Baseload_Latency_Budget_Ms": LATER}
        async with _filled(s):
            asking = [
                await _held(s, chat(tier), X_Baseload_Cost_Tier=tier, **later) for tier in tiers
            ]
        await asyncio.gather(*asking)
        told = [asked.body["messages"][0]["content"] for asked in s.replicas[0].engine.asked]
        assert told == ["fill", "premium", "standard", "economy"]


async def test_a_whole_answer_says_nothing_of_a_vendors_first_token(tmp_path: Path) -> None:
    hand = Hand()
    async with stack(tmp_path, scripts=[], sells=True, clock=hand.clock) as s:
        (book,) = s.gateway._scheduler._offers.values()
        turnstile = s.vendor.engine.turnstile
        turnstile.hold()
        asking = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 1)
        hand.move(s, 0.25)
        turnstile.open()
        await (await asking).read()
        hand.move(s, 0)
        assert book.ttft_mean_s is None
        turnstile.hold()
        asking = asyncio.ensure_future(s.post(chat(stream=True)))
        await until(lambda: s.asked == 2)
        hand.move(s, 0.25)
        turnstile.hold(after_tokens=1)
        answer = await asking
        hand.move(s, 0)
        assert book.ttft_mean_s == pytest.approx(0.25, abs=0.001)
        turnstile.open()
        await answer.read()
