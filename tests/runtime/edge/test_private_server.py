"""The private server: binds at once, serves, stops, and says why it cannot."""

from __future__ import annotations

import asyncio
import signal
import socket

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from runtime.edge.private_server import PrivateServer
from runtime.errors import ConfigError


async def _hello(request: Request) -> Response:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", _hello)])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_serves_on_a_port_of_its_own(host: str) -> None:
    handler = signal.getsignal(signal.SIGINT)
    server = PrivateServer(APP, host)
    await server.start()
    address = f"[{host}]" if ":" in host else host
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{address}:{server.port}/") as answer,
    ):
        assert await answer.text() == "hello"
        assert "server" not in answer.headers
    assert signal.getsignal(signal.SIGINT) is handler
    await server.stop()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        assert probe.connect_ex((host, server.port)) != 0


async def test_a_port_in_use_is_one_clear_line() -> None:
    first = PrivateServer(APP, "127.0.0.1")
    with pytest.raises(ConfigError, match=f"port {first.port} cannot be listened on") as caught:
        PrivateServer(APP, "127.0.0.1", first.port)
    assert "\n" not in caught.value.message
    await first.stop()


async def test_stop_does_not_wait_for_ever() -> None:
    async def endless(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    server = PrivateServer(Starlette(routes=[Route("/", endless)]), "127.0.0.1")
    await server.start()
    async with aiohttp.ClientSession() as http:
        asking = asyncio.ensure_future(http.get(f"http://127.0.0.1:{server.port}/"))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(3):
            await server.stop(grace_s=0.1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
