from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import Any

from benchmarks.load.endpoint import Endpoint
from benchmarks.load.measures import Measures, Slo, Window, measure
from benchmarks.load.prompt import Wording
from benchmarks.load.replay import Health, Player, SharePlan
from benchmarks.load.request_row import WHOLE, ErrorKind, Row
from benchmarks.load.row_table import table
from benchmarks.load.schedule import Ask, Traffic
from tests.benchmarks.load.scripted import TEMPLATE_TOKENS, Script, upstream


def plan_of(url: str, traffic: Traffic, lasting_s: float, **given: Any) -> SharePlan:
    plan = SharePlan(
        endpoints=(Endpoint(url, "m"),),
        wording=Wording(1.0, TEMPLATE_TOKENS),
        block_tokens=traffic.block_tokens,
        seed=1,
        asks=tuple(traffic.asks(lasting_s)),
        is_closed=traffic.is_closed,
        in_flight_max=traffic.in_flight_max,
        start_s=time.monotonic(),
        lasting_s=lasting_s,
        drain_s=5.0,
    )
    return replace(plan, **given)


async def played(
    script: Script, traffic: Traffic, lasting_s: float, **given: Any
) -> tuple[list[Row], Health]:
    async with upstream(script) as url:
        script.started_s = time.monotonic()
        player = Player(plan_of(url, traffic, lasting_s, **given))
        health = await player.play()
        rows = player.taken()
        assert player.counts.sent == len(rows)
        assert player.counts.in_flight == 0
        return rows, health


async def test_an_open_loop_waits_for_nobody() -> None:
    rows, health = await played(Script(step_s=0.1), Traffic("fixed", 20.0, output_tokens=8), 1.0)
    assert len(rows) == 20
    assert {row.error for row in rows} == {WHOLE}
    assert max(row.sent_s - row.scheduled_s for row in rows) < 0.4
    under_way = [sum(r.sent_s <= at.sent_s < r.ended_s for r in rows) for at in rows]
    assert max(under_way) > 8
    assert 0 < health.cpu_share < 1.5


async def test_prompts_have_the_length_and_the_prefix_that_was_asked_for() -> None:
    script = Script()
    traffic = Traffic("fixed", 20.0, input_tokens=50, prefix_tokens=20, output_tokens=2)
    rows, _ = await played(script, traffic, 0.5)
    assert {row.prompt_tokens for row in rows} == {50}
    starts = [prompt.split()[:20] for prompt in script.prompts]
    assert all(start == starts[0] for start in starts)
    assert len(set(script.prompts)) == 10


async def test_a_closed_loop_keeps_so_many_under_way() -> None:
    traffic = Traffic("closed", concurrency=3, output_tokens=4)
    rows, _ = await played(Script(step_s=0.01), traffic, 0.6)
    assert {row.scheduled_s - row.sent_s < 0.05 for row in rows} == {True}
    assert sorted(row.number for row in rows) == list(range(len(rows)))
    assert 9 <= len(rows) <= 45
    assert max(sum(r.sent_s <= at.sent_s < r.ended_s for r in rows) for at in rows) <= 3


async def test_a_limit_holds_requests_back_and_the_wait_counts() -> None:
    traffic = Traffic("fixed", 20.0, concurrency=1, output_tokens=5)
    rows, _ = await played(Script(step_s=0.02), traffic, 0.5)
    assert len(rows) == 10
    last = max(rows, key=lambda row: row.scheduled_s)
    assert last.sent_s - last.scheduled_s > 0.3
    assert last.ended_s - last.sent_s < 0.3


def measured(rows: list[Row], from_s: float, to_s: float) -> Measures:
    return measure(table(rows, 0), Window(from_s, to_s), Slo())


async def test_a_stall_shows_from_when_requests_were_due_and_not_from_when_they_were_sent() -> None:
    """The server stops for 0.5 s every 2.5 s; one connection must wait for it."""
    traffic = Traffic("fixed", 60.0, concurrency=1, input_tokens=20, output_tokens=2)
    rows, _ = await played(Script(stall_s=0.5, every_s=2.5), traffic, 3.2)
    found = measured(rows, 0.0, 3.2)
    assert found.ttft_ms is not None
    assert found.ttft_sent_ms is not None
    assert found.ttft_ms.p99 > 350
    assert found.ttft_sent_ms.p99 < 150
    assert found.e2e_ms is not None
    assert found.e2e_sent_ms is not None
    assert found.e2e_ms.p99 - found.e2e_sent_ms.p99 > 200


async def test_what_is_not_done_in_time_is_given_up() -> None:
    traffic = Traffic("fixed", 10.0, output_tokens=100)
    rows, _ = await played(Script(step_s=0.1), traffic, 0.3, drain_s=0.2)
    assert [row.error for row in rows] == [ErrorKind.UNFINISHED] * 3
    assert all(row.first_token_s is not None for row in rows)


async def test_what_was_never_sent_is_not_forgotten() -> None:
    traffic = Traffic("fixed", 20.0, concurrency=1, output_tokens=100)
    rows, _ = await played(Script(step_s=0.1), traffic, 0.5, drain_s=0.2)
    assert [row.error for row in rows] == [ErrorKind.UNFINISHED] * 10
    assert sum(row.first_token_s is None for row in rows) == 9
    assert sorted(row.number for row in rows) == list(range(10))


async def test_a_run_that_is_stopped_keeps_what_it_has() -> None:
    script = Script(step_s=0.02)
    async with upstream(script) as url:
        player = Player(plan_of(url, Traffic("fixed", 20.0, output_tokens=5), 60.0))
        playing = asyncio.create_task(player.play())
        await asyncio.sleep(0.6)
        player.stop()
        await asyncio.wait_for(playing, 2)
    rows = player.taken()
    assert {row.error for row in rows} <= {WHOLE, ErrorKind.INTERRUPTED}
    assert sum(row.error == WHOLE for row in rows) >= 3
    assert player.counts.sent == len(rows) < 60


async def test_a_client_that_stalls_is_late_for_all_that_the_stall_covers() -> None:
    async with upstream(Script()) as url:
        player = Player(plan_of(url, Traffic("fixed", 5.0, output_tokens=1), 1.5))
        playing = asyncio.create_task(player.play())
        await asyncio.sleep(0.5)
        time.sleep(0.4)  # noqa: ASYNC251 -- the stall
        health = await playing
    assert health.lag_ms_p99 > 200
    assert sum(lag_ms > 50 for lag_ms in player._lags_ms) >= 10


async def test_waiting_for_the_last_answer_does_not_thin_out_the_lag() -> None:
    async with upstream(Script(step_s=0.1)) as url:
        player = Player(plan_of(url, Traffic("fixed", 5.0, output_tokens=15), 0.3))
        await player.play()
    assert len(player._lags_ms) < 30


async def test_a_closed_loop_against_nobody_does_not_spin() -> None:
    plan = plan_of("http://127.0.0.1:9/v1", Traffic("closed", concurrency=2), 0.3)
    player = Player(plan)
    await player.play()
    assert 2 <= player.counts.failed <= 60


async def test_shares_of_a_run_have_numbers_of_their_own() -> None:
    asks = (Ask(0, 0.0, 10, 1), Ask(1, 0.0, 10, 2), Ask(2, 0.0, 10, 3))
    traffic = Traffic("closed", concurrency=2)
    rows, _ = await played(Script(), traffic, 0.2, asks=asks, worker=1, workers=2)
    assert all(row.number % 2 == 1 for row in rows)
    assert all(row.output_tokens == 1 + row.number % 3 for row in rows)


async def test_edges_count_what_came_until_then_and_watch_a_process() -> None:
    traffic = Traffic("closed", concurrency=2, output_tokens=4)
    rows, health = await played(
        Script(step_s=0.01), traffic, 0.5, edges_s=(0.1, 0.5), watched={"this": os.getpid()}
    )
    opened, closed = health.edges
    assert 0.1 <= opened.at_s < 0.3 <= closed.at_s
    assert 0 < opened.events < closed.events <= sum(row.events for row in rows)
    assert opened.reads < closed.reads
    assert closed.cpu_s["this"] >= opened.cpu_s["this"] > 0
    assert closed.machine_cpu_s >= opened.machine_cpu_s
    assert closed.client_cpu_s > opened.client_cpu_s


async def test_streams_of_a_closed_loop_may_start_one_after_the_other() -> None:
    traffic = Traffic("closed", concurrency=4, output_tokens=100)
    rows, _ = await played(Script(step_s=0.05), traffic, 0.6, spread_s=0.4, drain_s=0.1)
    starts_s = sorted(row.sent_s for row in rows)
    assert len(starts_s) == 4
    for at_s, wanted_s in zip(starts_s, (0.0, 0.1, 0.2, 0.3), strict=True):
        assert wanted_s <= at_s < wanted_s + 0.2


async def test_endpoints_are_asked_in_turn_and_a_prompt_may_be_the_same() -> None:
    script = Script()
    async with upstream(script) as url:
        endpoints = (Endpoint(url, "m"), Endpoint("http://127.0.0.1:9/v1", "m"))
        traffic = Traffic("fixed", 20.0, output_tokens=2)
        plan = plan_of(url, traffic, 0.5, endpoints=endpoints, prompt="the same")
        player = Player(plan)
        await player.play()
    by_number = sorted(player.taken(), key=lambda row: row.number)
    assert [row.error for row in by_number] == [WHOLE, ErrorKind.CONNECT] * 5
    assert script.prompts == ["the same"] * 5
