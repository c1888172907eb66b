"""How a known vendor is shown its key, and what its errors are read as."""

from __future__ import annotations

import asyncio
import json

import pytest

from models.vendors import load_vendors
from runtime.config import StreamConfig
from runtime.errors import BaseloadError, NotStarted
from runtime.targets.connector import Connector
from runtime.targets.upstream import Upstream
from scheduler.decision import Outcome

SPENT = {"type": "error", "error": {"type": "billing_error", "message": "no"}}


async def _asked(vendor: str | None, headers: bytes = b"") -> tuple[str, BaseloadError]:
    """The head of a request, and what its refusal is."""
    heads: list[str] = []
    body = json.dumps(SPENT).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        head = b"HTTP/1.1 409 X\r\n%bcontent-length: %d\r\n\r\n" % (headers, len(body))
        writer.write(head + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    terms = load_vendors().by_name[vendor].terms("m") if vendor else None
    connector = Connector()
    try:
        upstream = Upstream(connector, url, "secret", terms=terms)
        with pytest.raises(BaseloadError) as caught:
            await upstream.post("/messages", b"{}", StreamConfig())
    finally:
        await connector.close()
        server.close()
    assert "secret" not in repr(upstream)
    return heads[0], caught.value


@pytest.mark.parametrize("vendor", [None, "deepseek", "vllm"])
async def test_a_bearer_token_is_what_most_are_shown(vendor: str | None) -> None:
    head, error = await _asked(vendor)
    assert "authorization: Bearer secret\r\n" in head
    assert "x-api-key" not in head
    assert isinstance(error, NotStarted)
    assert error.outcome is Outcome.TARGET_FAILED


async def test_anthropic_has_a_header_of_its_own() -> None:
    head, error = await _asked("anthropic")
    assert "x-api-key: secret\r\nanthropic-version: 2023-06-01\r\n" in head
    assert "authorization" not in head
    assert isinstance(error, NotStarted)
    assert error.outcome is Outcome.KEY_REFUSED


LIMITS = (
    b"Anthropic-RateLimit-Requests-Remaining: 0\r\n"
    b"anthropic-ratelimit-requests-reset: 2999-01-01T00:00:00Z\r\n"
)


@pytest.mark.parametrize(
    ("vendor", "headers", "is_told", "least_s"),
    [
        ("anthropic", LIMITS, True, 1e9),
        ("anthropic", LIMITS + b"retry-after: 7\r\n", True, 7),
        ("anthropic", b"", False, 0),
        (None, LIMITS, False, 0),
    ],
)
async def test_limits_in_the_head_say_how_long_it_wants_to_be_left_alone(
    vendor: str | None, headers: bytes, is_told: bool, least_s: float
) -> None:
    _, error = await _asked(vendor, headers)
    assert isinstance(error, NotStarted)
    assert (error.pause_s is not None) == is_told
    if error.pause_s is not None:
        assert error.pause_s >= least_s
        assert (error.pause_s == 7) == (least_s == 7)
