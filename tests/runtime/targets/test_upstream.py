"""What a target's answers and failures mean, told from real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from runtime.clock import Clock
from runtime.config import StreamConfig
from runtime.errors import BaseloadError, NotStarted, StreamBroken, UpstreamFailed, UpstreamRejected
from runtime.targets.connector import Connector
from runtime.targets.error_statuses import MESSAGE_CHARS_MAX
from runtime.targets.response import Broken
from runtime.targets.upstream import ANSWER_BYTES_MAX, Upstream, read_answer
from scheduler.decision import Outcome

SILENCE = (b"",)
NOW_MS = 1_800_000_000_000  # 2027-01-15 08:00:00 UTC
LIMITS = StreamConfig(connect_ms_max=500, answer_ms_max=500)


@asynccontextmanager
async def _target(*answers: bytes) -> AsyncIterator[tuple[Upstream, list[bytes]]]:
    """A raw server that sends ``answers`` and closes; and what it was sent."""
    heard: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        for answer in answers:
            writer.write(answer)
        if answers != SILENCE:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connector = Connector(clock=Clock(unix_ms=lambda: NOW_MS))
    try:
        yield Upstream(connector, f"http://127.0.0.1:{port}/v1", "secret"), heard
    finally:
        await connector.close()
        server.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):  # the client may have cut it off
                await writer.wait_closed()


def _http(status: int, body: bytes = b"", headers: bytes = b"") -> bytes:
    length = f"content-length: {len(body)}\r\n".encode()
    return f"HTTP/1.1 {status} X\r\n".encode() + headers + length + b"\r\n" + body


async def _failed(*answers: bytes) -> BaseloadError:
    async with _target(*answers) as (upstream, _):
        with pytest.raises(BaseloadError) as caught:
            await upstream.post("/chat/completions", b"{}", LIMITS)
    assert "secret" not in caught.value.message
    return caught.value


async def test_a_good_answer() -> None:
    async with _target(_http(200, b"{}")) as (upstream, heard):
        response = await upstream.post("/chat/completions", b"{}", LIMITS)
        assert await read_answer(response) == b"{}"
    head = heard[0].lower()
    assert head.startswith(b"post /v1/chat/completions http/1.1")
    assert b"authorization: bearer secret" in head
    assert b"accept-encoding: identity" in head


def test_the_key_stays_out_of_a_repr() -> None:
    upstream = Upstream(None, "http://x", "secret")  # type: ignore[arg-type]
    assert "secret" not in repr(upstream)


@pytest.mark.parametrize("key", ["a\r\nx: y", "a\n", "ü", "a\0"])
def test_a_key_that_no_header_may_hold(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Upstream(None, "http://x", key)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [409, 425, 429, 498, 503, 529])
async def test_busy_has_not_started(status: int) -> None:
    assert type(await _failed(_http(status, b"busy"))) is NotStarted


@pytest.mark.parametrize("status", [301, 307, 401, 402, 403, 404, 405, 501, 521, 522, 523, 526])
async def test_what_never_reached_a_model_has_not_started_and_is_not_the_callers_fault(
    status: int,
) -> None:
    error = await _failed(_http(status, b'{"error": {"message": "your key is secret"}}'))
    assert type(error) is NotStarted


@pytest.mark.parametrize("status", [201, 408, 500, 502, 504, 520, 524, 599])
async def test_what_may_have_reached_a_model_may_have_started(status: int) -> None:
    error = await _failed(_http(status, b'{"error": {"message": "your key is secret"}}'))
    assert type(error) is UpstreamFailed


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "pause_s"),
    [
        (429, b"Retry-After: 7\r\n", Outcome.RATE_LIMITED, 7.0),
        (429, b"retry-after-ms: 250\r\nretry-after: 1\r\n", Outcome.RATE_LIMITED, 0.25),
        (429, b"", Outcome.RATE_LIMITED, None),
        (503, b"retry-after: 2\r\n", Outcome.TARGET_BUSY, 2.0),
        (429, b"retry-after: Fri, 15 Jan 2027 08:00:30 GMT\r\n", Outcome.RATE_LIMITED, 30.0),
        (503, b"", Outcome.TARGET_FAILED, None),
        (402, b"retry-after: 3\r\n", Outcome.KEY_REFUSED, 3.0),
        (500, b"retry-after: 9\r\n", Outcome.TARGET_FAILED, 9.0),
    ],
)
async def test_what_a_refusal_asks_for(
    status: int, headers: bytes, outcome: Outcome, pause_s: float | None
) -> None:
    error = await _failed(_http(status, headers=headers))
    assert isinstance(error, UpstreamFailed)
    assert (error.outcome, error.pause_s) == (outcome, pause_s)
    assert error.retry_after_s is None  # the target's wish is not told to the client


async def test_what_one_answer_asked_for_is_not_the_nexts() -> None:
    said = [b"Retry-After: 7\r\n", b""]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for headers in said:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(_http(429, headers=headers))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connector = Connector(clock=Clock(unix_ms=lambda: NOW_MS))
    port = server.sockets[0].getsockname()[1]
    upstream = Upstream(connector, f"http://127.0.0.1:{port}/v1", "k")
    told = []
    for _ in said:
        with pytest.raises(UpstreamFailed) as caught:
            await upstream.post("/x", b"{}", LIMITS)
        told.append(caught.value.pause_s)
    await connector.close()
    server.close()
    assert told == [7.0, None]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_is_the_callers_fault_is_told(status: int) -> None:
    body = b'{"error": {"message": "too long: %s", "param": "prompt"}}' % (b"x" * 900)
    error = await _failed(_http(status, body))
    assert isinstance(error, UpstreamRejected)
    assert (error.status, error.param) == (status, "prompt")
    assert len(error.message) == MESSAGE_CHARS_MAX


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": "text"}', b'{"error": {}}', b"\xff" * 90_000]
)
async def test_a_refusal_that_says_nothing_readable(body: bytes) -> None:
    error = await _failed(_http(400, body))
    assert isinstance(error, UpstreamRejected)
    assert error.message == "the target refused the request"


async def test_a_redirect_is_not_followed() -> None:
    async with _target(_http(307, headers=b"location: /elsewhere\r\n")) as (upstream, heard):
        with pytest.raises(NotStarted):
            await upstream.post("/x", b"{}", LIMITS)
        assert len(heard) == 1


async def test_nobody_listens() -> None:
    async with _target() as (upstream, _):
        pass
    connector = Connector(clock=Clock(unix_ms=lambda: NOW_MS))
    with pytest.raises(NotStarted):
        await Upstream(connector, upstream.base_url, "k").post("/x", b"{}", LIMITS)
    await connector.close()


@pytest.mark.parametrize("answer", [b"\r\n", b"HTTP/1.1 200 OK\r\ncont", b"nonsense\r\n\r\n"])
async def test_a_connection_that_breaks_may_have_started_work(answer: bytes) -> None:
    assert type(await _failed(answer)) is UpstreamFailed


async def test_an_answer_that_never_comes() -> None:
    async with _target(*SILENCE) as (upstream, _):
        with pytest.raises(UpstreamFailed):
            await upstream.post("/x", b"{}", StreamConfig(answer_ms_max=50))


async def test_half_an_answer_is_broken() -> None:
    async with _target(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf") as (upstream, _):
        response = await upstream.post("/x", b"{}", LIMITS)
        with pytest.raises(StreamBroken):
            await read_answer(response)
        response.close()


async def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ANSWER_BYTES_MAX > 1_000_000
    monkeypatch.setattr("runtime.targets.upstream.ANSWER_BYTES_MAX", 3)
    async with _target(_http(200, b"four")) as (upstream, _):
        response = await upstream.post("/x", b"{}", LIMITS)
        with pytest.raises(StreamBroken, match="too large"):
            await read_answer(response)
        response.close()


async def test_a_subscription_is_beside_the_api_and_notices_silence() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{}\n{}\n\r\n"
    async with _target(head) as (upstream, heard):
        async with upstream.subscribe("/load", 0.5) as lines:
            assert await anext(lines) == b"{}"
            assert await anext(lines) == b"{}"
            with pytest.raises(Broken):
                await anext(lines)
        assert heard[0].startswith(b"GET /load HTTP/1.1")
    async with _target(_http(401)) as (upstream, _):
        with pytest.raises(Broken, match="401"):
            async with upstream.subscribe("/load", 0.5):
                pass
