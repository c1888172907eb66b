"""A real HAProxy with our configuration before a real edge: who tells a client what is wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cluster.machine.haproxy_config import BUFFER_BYTES_MIN, HEADERS_READ_MAX
from runtime.edge.app import create_app
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.request_limits import LIMITS
from tests.cluster.machine.proxied import HOST, answer, proxied

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    edge = PrivateServer(create_app(Edge()), HOST)
    await edge.start()
    try:
        async with proxied(tmp_path_factory.mktemp("haproxy"), edge.port) as front:
            yield front
    finally:
        await edge.stop()


def _get(*lines: bytes, path: bytes = b"/live") -> bytes:
    return b"\r\n".join(
        [b"GET %b HTTP/1.1" % path, b"host: h", b"connection: close", *lines, b"", b""]
    )


async def test_what_is_within_bounds_is_served(port: int) -> None:
    head, body = await answer(port, _get(b"x: " + b"y" * 15_000))
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
    head, body = await answer(port, sent)
    assert head.startswith(b"http/1.1 431")
    assert b"x-request-id: req-" in head
    assert json.loads(body)["error"]["code"] == "header_too_large"


async def test_a_client_that_closes_its_half_is_told_what_that_means(port: int) -> None:
    head, body = await answer(port, _get(), half_closed=True)
    if head.startswith(b"http/1.1 400"):  # else the edge was quicker
        assert "closed" in json.loads(body)["error"]["message"]
    else:
        assert json.loads(body) == {"live": True}


@pytest.mark.parametrize("sent", [b"NONSENSE\r\n\r\n", _get(b"cookie: " + b"x" * 100_000)])
async def test_beyond_that_haproxy_says_no_in_its_own_words(port: int, sent: bytes) -> None:
    """As documented: its parser's page is built in. If this fails, it can be ours at last."""
    head, _ = await answer(port, sent)
    assert head.startswith(b"http/1.1 400")
    assert b"text/html" in head
