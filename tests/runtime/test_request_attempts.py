"""A request that goes well, as the official client and the ledger see it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from runtime.edge.body_writer import UvicornBodyWriter
from runtime.engine.fault_script import Script
from tests.runtime.hand import Hand
from tests.runtime.parts import MODEL, chat, stack, until

USER = [{"role": "user", "content": "hello"}]


async def test_a_chat_through_the_official_client(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        answer = await s.openai.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], max_tokens=4
        )
        assert answer.choices[0].message.content == "the river turned its"
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 4
        row = s.row()
    assert (row.tenant, row.target, row.reason) == ("acme", "local:r1", "local_fit")
    assert (row.ending, row.outcome, row.completion_tokens) == ("settle", "ok", 4)
    assert row.cost_nano_usd > 0
    assert row.derivation is not None
    assert "nano-USD/h" in row.derivation


async def test_a_completion_with_several_prompts(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        answer = await s.openai.completions.create(
            model=MODEL, prompt=["a", "b"], max_tokens=3, n=2
        )
        assert [choice.text for choice in answer.choices] == ["the river turned"] * 4
        assert s.row().completion_tokens == 12


@pytest.mark.parametrize("asks", [True, False])
async def test_usage_is_billed_always_and_shown_only_if_asked(tmp_path: Path, asks: bool) -> None:
    async with stack(tmp_path) as s:
        stream = await s.openai.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "hello"}],
            max_tokens=7,
            stream=True,
            stream_options={"include_usage": asks},
        )
        chunks = [chunk async for chunk in stream]
        assert [chunk.usage is not None for chunk in chunks].count(True) == asks
        content = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert content == "the river turned its old wheel and"
        assert s.replicas[0].engine.asked[0].body["stream_options"] == {"include_usage": True}
        row = s.row()
    assert (row.completion_tokens, row.outcome) == (7, "ok")


async def test_a_stream_of_several_choices_ends_once_all_have_ended(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        stream = await s.openai.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], n=3, stream=True
        )
        reasons = [
            (choice.index, choice.finish_reason)
            async for chunk in stream
            for choice in chunk.choices
            if choice.finish_reason
        ]
        assert sorted(reasons) == [(0, "stop"), (1, "stop"), (2, "stop")]


async def test_the_engine_gets_a_rebuilt_body_and_the_boot_token_only(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        body = chat(user="someone", metadata={"a": "b"}, max_tokens=None, max_completion_tokens=3)
        answer = await s.post(body, X_Baseload_Feature="search", X_Request_Id="mine")
        assert answer.status == 200
        assert answer.headers["x-request-id"].startswith("req-")
        sent = s.replicas[0].engine.asked[0].body
    assert sent == {"model": MODEL, "messages": USER, "max_tokens": 3}


async def test_the_headers_tell_where_it_went_and_what_it_cost(tmp_path: Path) -> None:
    hand = Hand()
    async with stack(tmp_path, clock=hand.clock) as s:
        s.replicas[0].engine.turnstile.hold()
        asking = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 1)
        hand.move(s, 0.5)
        s.replicas[0].engine.turnstile.open()
        answer = await asking
        assert answer.headers["x-baseload-target"] == "local:r1"
        assert answer.headers["x-baseload-reason"] == "local_fit"
        assert answer.headers["x-baseload-model"] == MODEL
        assert answer.headers["x-baseload-held-ms"] == "0"
        row = s.row()
    assert float(answer.headers["x-baseload-cost-usd"]) * 1e9 == pytest.approx(row.cost_nano_usd)
    assert answer.headers["x-request-id"] == row.request_id


async def test_done_is_sent_only_after_the_bill_is_written(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        answer = await s.post(chat(stream=True))
        async for line in answer.content:
            if line == b"data: [DONE]\n":
                assert s.row().ending == "settle"
                return
        pytest.fail("the stream had no end")


async def test_concurrent_requests_share_the_time_of_a_replica(tmp_path: Path) -> None:
    hand = Hand()
    async with stack(tmp_path, clock=hand.clock) as s:
        s.replicas[0].engine.turnstile.hold()
        asking = [asyncio.ensure_future(s.post(chat(max_tokens=10))) for _ in range(4)]
        await until(lambda: s.asked == 4)
        hand.move(s, 0.1)
        s.replicas[0].engine.turnstile.open()
        answers = await asyncio.gather(*asking)
        assert [answer.status for answer in answers] == [200] * 4
        tokens = [json.loads(await a.read())["usage"]["completion_tokens"] for a in answers]
        assert tokens == [10] * 4
        shares_ns = [int((row.derivation or "").split(" x ")[2].split()[0]) for row in s.rows()]
    # Four at once for 0.1 s: each is billed a quarter of it.
    assert shares_ns == [25_000_000] * 4


async def test_two_replicas_both_work(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script()] * 2) as s:
        for replica in s.replicas:
            replica.engine.turnstile.hold()
        asking = [asyncio.ensure_future(s.post(chat())) for _ in range(8)]
        await until(lambda: s.asked == 8)
        for replica in s.replicas:
            replica.engine.turnstile.open()
        await asyncio.gather(*asking)
        assert {row.target for row in s.rows()} == {"local:r1", "local:r2"}


async def test_tokens_take_the_short_way_to_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    write = UvicornBodyWriter.write

    def noted(self: UvicornBodyWriter, part: bytes) -> bool:
        if done := write(self, part):
            written.append(part)
        return done

    monkeypatch.setattr(UvicornBodyWriter, "write", noted)
    async with stack(tmp_path) as s:
        turnstile = s.replicas[0].engine.turnstile
        turnstile.hold(after_tokens=1)
        response = await s.post(chat(stream=True, max_tokens=40))
        got = await _read_until(response, 2)  # a role, a token: the gateway waits for the next
        turnstile.hold(after_tokens=39)
        got += await _read_until(response, 38)
        assert b"".join(written) in got
        assert b"".join(written).count(b"data: ") == 38
        turnstile.open()
        assert (got + await response.read()).endswith(b"data: [DONE]\n\n")
        assert s.row().completion_tokens == 40


async def _read_until(response: aiohttp.ClientResponse, events: int) -> bytes:
    got = b""
    while got.count(b"\n\n") < events:
        got += await response.content.readany()
    return got
