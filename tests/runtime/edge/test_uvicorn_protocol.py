"""Bytes that are no request, or that never become one, and clients that close their half."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from runtime.edge import uvicorn_protocol
from runtime.engine.fault_script import Script
from runtime.request_limits import LIMITS, refusals
from tests.runtime.lines import listening
from tests.runtime.parts import KEY, Stack, chat, stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWER_S_MAX = 10.0
HEAD_S = 1
WEBSOCKET = (
    b"host: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
LIVE = b"GET /live HTTP/1.1\r\nhost: h\r\n\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with stack(tmp_path_factory.mktemp("protocol"), scripts=[Script(token_s=0.02)]) as made:
        yield made


async def _connect(s: Stack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(s.url)
    return await asyncio.open_connection(url.hostname, url.port)


async def _answer(s: Stack, sent: bytes) -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await _connect(s)
    writer.write(sent)
    async with asyncio.timeout(ANSWER_S_MAX):
        told = await reader.read()
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return told


def _post(body: bytes, *more: str) -> bytes:
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: h",
        f"authorization: Bearer {KEY}",
        "content-type: application/json",
        *more,
    ]
    if not more:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _refused(told: bytes) -> tuple[bytes, dict[str, Any]]:
    head, _, body = told.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert b"connection: close" in head
    return head.split(b" ")[1], json.loads(body)["error"]


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost h\r\n\r\n",
        b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: -5\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300,
        b"\x00" * 100,
    ],
)
async def test_what_is_no_http_is_refused_in_the_envelope(s: Stack, sent: bytes) -> None:
    before = refusals["invalid_http"]
    status, error = _refused(await _answer(s, sent))
    assert (status, error["code"]) == (b"400", "invalid_value")
    assert refusals["invalid_http"] == before + 1


@pytest.mark.parametrize(
    "start", [b"GET /live HTTP/1.1\r\nhost: h\r\nx: ", b"GET /live?", b"GET /live HTTP/1.1\r\n"]
)
async def test_a_head_without_an_end_is_not_read_for_ever(s: Stack, start: bytes) -> None:
    line = b"x: y\r\n" if start.endswith(b"\n") else b"x"
    sent = start + line * (4 * LIMITS.head_bytes_max // len(line))
    status, error = _refused(await _answer(s, sent))
    assert (status, error["code"]) == (b"431", "header_too_large")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    short = dataclasses.replace(LIMITS, head_read_s_max=HEAD_S)
    monkeypatch.setattr(uvicorn_protocol, "LIMITS", short)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("start", [b"GET /live HTTP/1.1\r\nhost: h\r\nx: ", b"GET /l"])
@pytest.mark.parametrize("before", [b"", LIVE])
async def test_a_head_without_an_end_is_not_waited_for(
    s: Stack, start: bytes, before: bytes
) -> None:
    """Neither on a new connection nor on one that has been used."""
    late = refusals["head_read_s_max"]
    reader, writer = await _connect(s)
    async with asyncio.timeout(ANSWER_S_MAX):
        if before:
            writer.write(before)
            await reader.readuntil(b'{"live":true}')
        for byte in start:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        told = await reader.read()
    status, error = _refused(told)
    assert (status, error["code"]) == (b"408", "request_timeout")
    assert refusals["head_read_s_max"] == late + 1
    writer.close()


@pytest.mark.usefixtures("quick")
async def test_a_connection_that_asks_nothing_is_closed(s: Stack) -> None:
    assert await _answer(s, b"") == b""


@pytest.mark.usefixtures("quick")
async def test_only_a_head_has_that_bound(s: Stack) -> None:
    """A stream that lasts longer is none, nor is a pause between two requests."""
    reader, writer = await _connect(s)
    async with asyncio.timeout(ANSWER_S_MAX):
        writer.write(_post(json.dumps(chat(stream=True, max_tokens=60)).encode()))
        assert b"[DONE]" in await reader.readuntil(b"\r\n0\r\n\r\n")
        await asyncio.sleep(2 * HEAD_S)
        writer.write(LIVE)
        assert b'{"live":true}' in await reader.readuntil(b"}")
    writer.close()


@pytest.mark.parametrize("line", [b"GET /live", b"GET /v1/chat/completions", b"GET /nothing"])
async def test_a_websocket_is_refused_in_the_envelope(s: Stack, line: bytes) -> None:
    told = await _answer(s, line + b" HTTP/1.1\r\n" + WEBSOCKET)
    status, error = _refused(told)
    assert (status, error["code"]) == (b"400", "invalid_value")
    assert "WebSocket" in error["message"]
    assert b"x-request-id: req-" in told


async def test_another_upgrade_is_ignored(s: Stack) -> None:
    """As a client of HTTP/2 offers it: HTTP/1.1 is an answer."""
    sent = LIVE[:-2] + b"connection: Upgrade, close\r\nupgrade: h2c\r\n\r\n"
    assert b'{"live":true}' in await _answer(s, sent)


async def test_a_body_is_no_head(s: Stack) -> None:
    """Two requests on one connection, each of one large read: neither is taken for a head."""
    body = json.dumps(chat("x" * 200)).encode() + b" " * 3 * LIMITS.head_bytes_max
    ask = _post(body)
    reader, writer = await _connect(s)
    for _ in range(2):
        writer.write(ask)
        async with asyncio.timeout(ANSWER_S_MAX):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_breaks_its_own_framing(s: Stack) -> None:
    rows = len(s.rows())
    told = await _answer(s, _post(b"zz\r\n", "transfer-encoding: chunked"))
    assert _refused(told)[0] == b"400"
    assert len(s.rows()) == rows


async def test_nothing_is_written_into_an_answer_under_way(s: Stack) -> None:
    reader, writer = await _connect(s)
    writer.write(_post(json.dumps(chat(stream=True, max_tokens=1_000)).encode()))
    async with asyncio.timeout(ANSWER_S_MAX):
        told = await reader.read(1_000)
        writer.write(b"\x00NONSENSE\r\n\r\n")
        told += await reader.read()
    assert told.count(b"HTTP/1.1") == 1
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    await s.idle()


async def test_a_client_that_closes_its_half_has_left(s: Stack) -> None:
    """In the middle of a stream: the engine stops, and the log says what it cost."""
    reader, writer = await _connect(s)
    with listening(s) as lines:
        writer.write(_post(json.dumps(chat(stream=True, max_tokens=1_000)).encode()))
        async with asyncio.timeout(ANSWER_S_MAX):
            await reader.read(1_000)
            writer.write_eof()
            await reader.read()
        told = await lines.next()
    await s.idle()
    row = s.rows()[-1]
    assert told["request_id"] in {row.request_id for row in s.rows()}
    assert (told["outcome"], row.ending) == ("client_left", "settle")
    assert told["completion_tokens"] < 1_000
    await until(lambda: s.replicas[0].engine.running == 0)
    writer.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_closes_its_half_as_it_asks_has_left_too(
    s: Stack, stream: bool
) -> None:
    """As `nc -N` does. To a server a close looks no different: nothing is done for it, and its
    line says so."""
    asked = s.asked
    reader, writer = await _connect(s)
    with listening(s) as lines:
        writer.write(_post(json.dumps(chat(stream=stream, max_tokens=1_000)).encode()))
        writer.write_eof()
        async with asyncio.timeout(ANSWER_S_MAX):
            assert await reader.read() == b""
        told = await lines.next()
    await s.idle()
    assert (told["status"], told["outcome"]) == (499, "client_left")
    assert (told["cost_nano_usd"], s.asked) == (0, asked)
    # Where it is seen to have left before anything was intended, its line names no target.
    rows = [row for row in s.rows() if row.request_id == told["request_id"]]
    intended = [("void", "client_left")] if told["target"] is not None else []
    assert [(row.ending, row.outcome) for row in rows] == intended
    writer.close()


async def test_a_half_closed_probe_is_answered(s: Stack) -> None:
    reader, writer = await _connect(s)
    writer.write(LIVE)
    writer.write_eof()
    async with asyncio.timeout(ANSWER_S_MAX):
        assert b'{"live":true}' in await reader.read()
    writer.close()
