"""Clients that leave, or that stop reading: the engine stops within a second and is billed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import KEY, chat, stack, until


async def _leave(asking: asyncio.Task[object]) -> None:
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_a_client_that_leaves_mid_stream_aborts_the_engine(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(token_s=0.02)]) as s:
        answer = await s.post(chat(stream=True, max_tokens=1000))
        await answer.content.readany()
        await answer.content.readany()
        answer.close()
        engine = s.replicas[0].engine
        await until(lambda: len(engine.aborted) == 1)
        await s.idle()
        row = s.row()
        assert (row.ending, row.outcome, row.attempts) == ("settle", "client_left", 1)
        assert 2 <= row.completion_tokens < 100
        assert row.cost_nano_usd > 0


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_client_that_leaves_during_prefill(tmp_path: Path, streamed: bool) -> None:
    async with stack(tmp_path, scripts=[Script(fault=Fault.HANG), Script(fault=Fault.HANG)]) as s:
        asking = asyncio.ensure_future(s.post(chat(stream=streamed)))
        await until(lambda: s.asked == 1)
        await _leave(asking)
        engines = [each.engine for each in s.replicas]
        await until(lambda: sum(len(e.aborted) for e in engines) == 1)
        await s.idle()
        row = s.row()
        # The engine worked on it: its time is billed, tokens nobody has counted.
        assert (row.ending, row.outcome, row.attempts) == ("settle", "client_left", 1)
        assert row.cost_nano_usd > 0
        assert s.asked == 1


@pytest.mark.parametrize("sells", [True, False])
async def test_a_client_that_leaves_while_a_connection_is_opened_pays_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sells: bool
) -> None:
    opening = asyncio.Event()

    async def connect(*_: object, **__: object) -> None:
        opening.set()
        await asyncio.Event().wait()

    async with stack(tmp_path, scripts=[] if sells else [Script()], sells=sells) as s:
        monkeypatch.setattr(s.gateway.connector, "connect", connect)
        asking = asyncio.ensure_future(s.post(chat()))
        await opening.wait()
        await _leave(asking)
        await s.idle()
        assert (s.row().ending, s.row().outcome) == ("void", "client_left")
        assert s.row().cost_nano_usd == 0


async def test_a_connection_that_is_never_opened_costs_nothing_at_the_end_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = asyncio.Event()

    async def connect(*_: object, **__: object) -> None:
        opening.set()
        await asyncio.Event().wait()

    async with stack(tmp_path, scripts=[], sells=True) as s:
        monkeypatch.setattr(s.gateway.connector, "connect", connect)
        asking = asyncio.ensure_future(s.post(chat()))
        await opening.wait()
        await s.gateway.close(drain_s_max=0)
        assert (await asking).status >= 500
        assert (s.row().ending, s.row().cost_nano_usd) == ("void", 0)


async def test_a_client_that_leaves_the_queue_was_never_anywhere(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(fault=Fault.HANG)], max_num_seqs=1) as s:
        first = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 1)
        second = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.in_books() == 2)
        await _leave(second)
        await until(lambda: s.in_books() == 1)
        assert s.asked == 1
        assert len(s.rows()) == 1  # no work was intended yet, so there is nothing to end
        await _leave(first)
        await s.idle()


async def test_all_leave_at_once_and_every_row_ends_once(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(token_s=0.02)] * 2, max_num_seqs=4) as s:
        asking = [
            asyncio.ensure_future(s.post(chat(stream=True, max_tokens=500))) for _ in range(20)
        ]
        await until(lambda: s.asked == 8)
        for each in asking:
            each.cancel()
        for answer in await asyncio.gather(*asking, return_exceptions=True):
            if not isinstance(answer, BaseException):
                answer.close()
        await s.idle()
        assert {row.ending for row in s.rows()} <= {"settle", "void"}
        engines = [each.engine for each in s.replicas]
        await until(lambda: not any(engine.running for engine in engines))
        assert (await s.post(chat())).status == 200


async def test_a_client_that_stops_reading_is_let_go(tmp_path: Path) -> None:
    limits = {"stream": {"inter_token_ms_max": 400}}
    async with stack(tmp_path, config=limits) as s:
        url = urlsplit(s.url)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, (url.hostname, url.port))
            # Eight choices of 3,000 tokens are some 5 MB: more than the sockets between hold.
            body = b'{"model":"tiny-moe","stream":true,"n":8,"max_tokens":3000,"messages":[{"role":'
            body += b'"user","content":"hi"}]}'
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            await loop.sock_sendall(client, head.encode() + body)
            await until(lambda: s.asked == 1)
            await s.idle()
            assert s.replicas[0].engine.running == 0
            row = s.row()
            assert (row.ending, row.outcome) == ("settle", "client_left")


async def test_a_client_that_leaves_while_it_sends_its_body(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with stack(tmp_path) as s:
        url = urlsplit(s.url)
        _, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
            "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{".encode()
        )
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
        assert s.asked == 0
        assert "Traceback" not in caplog.text
        assert not [record for record in caplog.records if record.exc_info]


async def test_leaving_stalling_and_draining_at_once_end_a_row_once(tmp_path: Path) -> None:
    script = Script(fault=Fault.HANG, after_tokens=2)
    limits = {"stream": {"inter_token_ms_max": 150}}
    async with stack(tmp_path, scripts=[script], config=limits) as s:
        answers = [await s.post(chat(stream=True)) for _ in range(6)]
        await asyncio.sleep(0.14)
        closing = asyncio.ensure_future(s.gateway.close(drain_s_max=0.0))
        for answer in answers[::2]:
            answer.close()
        await closing
        rows = s.rows()
        assert [(row.ending, row.attempts) for row in rows] == [("settle", 1)] * 6
        assert s.in_books() == 0
