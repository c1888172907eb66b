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


async def _asked(vendor: str | None) -> tuple[str, BaseloadError]:
    """The head of a request, and what its refusal is."""
    heads: list[str] = []
    body = json.dumps(SPENT).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 409 X\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
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
