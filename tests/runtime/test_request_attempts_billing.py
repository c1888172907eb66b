"""Where a request is served and at which price: local, held, bought, refused; and the bill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import aiohttp
import openai
import pytest

from models.money import format_usd
from models.price_book import load_price_book
from models.price_terms import bill_text
from runtime.engine.fault_script import Fault, Script
from runtime.ledger.usage_report import report
from tests.runtime.hand import Hand
from tests.runtime.parts import MODEL, Stack, chat, stack, until

HANGS = Script(fault=Fault.HANG)


@asynccontextmanager
async def refusing(status: int) -> AsyncIterator[str]:
    """The address of a vendor that answers every request with this status."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def _fill(s: Stack, requests: int = 1) -> list[asyncio.Task[aiohttp.ClientResponse]]:
    before = s.asked
    filling = [asyncio.ensure_future(s.post(chat("fill"))) for _ in range(requests)]
    await until(lambda: s.asked == before + requests)
    return filling


async def _stop(filling: list[asyncio.Task[aiohttp.ClientResponse]]) -> None:
    for each in filling:
        each.cancel()
    await asyncio.gather(*filling, return_exceptions=True)


@pytest.mark.parametrize("streamed", [True, False])
async def test_no_room_and_no_time_is_bought(tmp_path: Path, streamed: bool) -> None:
    async with stack(tmp_path, scripts=[HANGS], sells=True, max_num_seqs=1) as s:
        filling = await _fill(s)
        body = chat("buy", stream=streamed, top_k=5)
        answer = await s.post(body, X_Baseload_Latency_Budget_Ms="1")
        assert answer.headers["x-baseload-target"] == "offer:stand-in/tiny-moe"
        assert answer.headers["x-baseload-reason"] == "spill_latency"
        await answer.read()
        (asked,) = s.vendor.engine.asked
        assert "top_k" not in asked.body  # a vendor gets what OpenAI's API knows
        await _stop(filling)
        await s.idle()
        row = next(row for row in s.rows() if row.target.startswith("offer:"))
    price = load_price_book().price_at("stand-in", MODEL, date(2026, 6, 1))
    assert price is not None
    assert row.prompt_tokens == 1
    assert row.cost_nano_usd == price.cost_nano(1, 0, 5)
    assert row.derivation == bill_text(price, 0)


async def test_no_room_but_time_is_held_and_then_served_here(tmp_path: Path) -> None:
    hand = Hand()
    async with stack(tmp_path, sells=True, max_num_seqs=1, clock=hand.clock) as s:
        s.replicas[0].engine.turnstile.hold()
        filling = await _fill(s)
        later = {"X_Baseload_Latency_Budget_Ms": "600000"}
        asking = asyncio.ensure_future(s.post(chat("hold"), **later))
        await until(lambda: s.in_books() == 2)
        hand.move(s, 0.5)
        s.replicas[0].engine.turnstile.open()
        answer = await asking
        assert answer.headers["x-baseload-target"] == "local:r1"
        assert answer.headers["x-baseload-reason"] == "held"
        assert answer.headers["x-baseload-held-ms"] == "500"
        assert (await filling[0]).status == 200
        assert not s.vendor.engine.asked


async def test_no_replica_at_all_is_bought(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[], sells=True) as s:
        answer = await s.post(chat())
        assert answer.headers["x-baseload-target"] == "offer:stand-in/tiny-moe"
        assert answer.headers["x-baseload-reason"] == "spill_no_replica"


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        *((status, "void") for status in (307, 401, 402, 403, 404, 429, 503, 529)),
        *((status, "settle") for status in (500, 502, 504, 520)),
    ],
)
async def test_a_prompt_is_billed_only_where_the_vendor_may_have_read_it(
    tmp_path: Path, status: int, ending: str
) -> None:
    async with refusing(status) as url:
        terms = {"base_url": url}
        async with stack(tmp_path, scripts=[], sells=True, terms=terms) as s:
            told = (await s.post(chat(stream=True))).status
            assert told == 429 if status == 429 else told >= 500
            await s.idle()
            row = s.row()
    assert row.ending == ending
    assert (row.cost_nano_usd > 0) == (ending == "settle")


async def test_a_vendor_that_cannot_be_reached_bills_nothing(tmp_path: Path) -> None:
    async with refusing(500) as url:
        pass  # its port is closed now
    async with stack(tmp_path, scripts=[], sells=True, terms={"base_url": url}) as s:
        assert (await s.post(chat())).status >= 500
        await s.idle()
        assert (s.row().ending, s.row().cost_nano_usd) == ("void", 0)


async def test_nothing_to_serve_it_is_a_503_at_once(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[]) as s:
        async with asyncio.timeout(0.5):
            answer = await s.post(chat())
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert (await answer.json())["error"]["code"] == "no_ready_replica"
        assert s.rows() == []


async def test_the_bound_of_the_queue_is_a_429(tmp_path: Path) -> None:
    bound = {"queue": {"requests_max": 1}}
    async with stack(tmp_path, scripts=[HANGS], max_num_seqs=1, config=bound) as s:
        filling = await _fill(s)
        held = asyncio.ensure_future(s.post(chat("held")))
        await until(lambda: s.in_books() == 2)
        with pytest.raises(openai.RateLimitError) as caught:
            await s.openai.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "one too many"}]
            )
        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert "x-should-retry" not in caught.value.response.headers
        assert s.asked == 1
        assert len(s.rows()) == 1
        await _stop([*filling, held])
        await s.idle()


async def test_a_wait_that_lasted_too_long_is_a_504(tmp_path: Path) -> None:
    bound = {"queue": {"wait_ms_max": 150}}
    async with stack(tmp_path, scripts=[HANGS], max_num_seqs=1, config=bound) as s:
        filling = await _fill(s)
        answer = await s.post(chat("late"))
        assert answer.status == 504
        assert answer.headers["x-should-retry"] == "false"
        assert (await answer.json())["error"]["code"] == "queue_timeout"
        assert s.asked == 1
        await _stop(filling)
        await s.idle()


async def test_a_vendor_that_is_busy_leaves_the_retry_to_the_replica(tmp_path: Path) -> None:
    busy = Script(fault=Fault.BUSY)
    async with stack(tmp_path, vendor=busy, sells=True, max_num_seqs=1) as s:
        s.replicas[0].engine.turnstile.hold()
        filling = await _fill(s)
        now = {"X_Baseload_Latency_Budget_Ms": "1"}
        asking = asyncio.ensure_future(s.post(chat("buy"), **now))
        await until(lambda: len(s.vendor.engine.asked) == 1)
        s.replicas[0].engine.turnstile.open()
        answer = await asking
        assert answer.headers["x-baseload-target"] == "local:r1"
        assert answer.headers["x-baseload-reason"] == "retry"
        await asyncio.gather(*filling)
        row = next(row for row in s.rows() if row.attempts == 2)
        assert (row.outcome, row.target) == ("ok", "local:r1")


async def test_several_choices_fit_a_context_one_by_one(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        for fields in ({"n": 4, "max_tokens": 2_000}, {"n": 2, "max_tokens": None}):
            answer = await s.post(chat("hi", **fields))
            assert answer.status == 200, await answer.text()


async def test_a_ledger_that_fails_stops_admission_before_any_work(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script()] * 2, sells=True) as s:
        assert (await s.post(chat())).status == 200
        s.gateway.ledger._writer.fail("the disk is full")
        for streamed in (True, False):
            answer = await s.post(chat(stream=streamed))
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) >= 1
            error = (await answer.json())["error"]
            assert error["code"] == "ledger_unavailable"
            assert "disk" not in error["message"]
        assert s.asked == 1
        assert s.in_books() == 0
        assert not s.gateway.ready()


async def test_an_end_that_cannot_be_billed_is_not_told(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(token_s=0.05)]) as s:
        answer = await s.post(chat(stream=True))
        await answer.content.readany()
        s.gateway.ledger._writer.fail("the disk is full")
        rest = await answer.read()
        assert b'"code":"ledger_unavailable"' in rest
        assert b'"message":"The usage of this answer could not be recorded' in rest
        assert b'"tokens_billed":0' in rest
        assert b"[DONE]" not in rest
        assert b'"finish_reason":"length"' not in rest


async def test_the_sum_of_the_parts_is_the_report(tmp_path: Path) -> None:
    scripts, bound = [Script(token_s=0.002)] * 2, {"queue": {"wait_ms_max": 1000}}
    async with stack(tmp_path, scripts=scripts, sells=True, max_num_seqs=2, config=bound) as s:
        marks = ("", "[fault:die:2]", "[fault:server_error]", "[fault:reject]", "[fault:busy]")
        asking = [
            s.post(
                chat(f"{marks[number % 5]} {number}", stream=number % 2 == 0),
                X_Baseload_Latency_Budget_Ms="1" if number % 3 else "900",
                X_Baseload_Feature=f"f{number % 4}",
            )
            for number in range(60)
        ]
        for answer in await asyncio.gather(*asking):
            assert answer.status in (200, 400, 429, 502, 503, 504)
            await answer.read()
        await s.idle()
        told = report(s.ledger)
        assert told.total.requests == len(s.rows())
        assert sum(line.cost_nano_usd for line in told.lines) == told.total.cost_nano_usd
        assert {place.partition(":")[0] for place in told.by_target} == {"local", "offer"}
        assert len(told.by_feature) == 4


async def test_a_stream_tells_what_it_cost_to_whom_asks(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[], sells=True) as s:
        plain = await (await s.post(chat("x", stream=True))).read()
        told = await (await s.post(chat("x", stream=True), X_Baseload_Tell="cost")).read()
        assert b"baseload-cost" not in plain
        cost = format_usd(s.rows()[-1].cost_nano_usd)
        assert f"\n\n: baseload-cost-usd {cost}\n\ndata: ".encode() in told
        assert told.endswith(b"data: [DONE]\n\n")
