"""Serves an ASGI app on a private address, inside the event loop of its replica."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from runtime.edge.uvicorn_protocol import EdgeProtocol
from runtime.errors import ConfigError

BACKLOG = 1024
KEEP_ALIVE_S = 75
START_S_MAX = 10.0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals belong to the process that hosts the replica


class PrivateServer:
    """Binds at once (ConfigError if it cannot); ``start`` serves, ``stop`` closes."""

    def __init__(self, app: ASGIApp, host: str, port: int = 0) -> None:
        self._config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=EdgeProtocol,
            ws="none",  # the edge refuses it, in the envelope
            interface="asgi3",  # a bound method is not recognised as one
            timeout_keep_alive=KEEP_ALIVE_S,
            proxy_headers=False,  # nobody is believed who says for whom he asks
            server_header=False,
            date_header=False,
        )
        self._server = _Server(self._config)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)
        except OSError as error:
            self._socket.close()
            raise ConfigError(
                f"{host} port {port} cannot be listened on ({error.strerror}): stop what holds "
                "it, or choose another"
            ) from None
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        async with asyncio.timeout(START_S_MAX):
            while not self._server.started:
                await asyncio.sleep(0.01)

    async def stop(self, grace_s: float = 1.0) -> None:
        if self._task is None:
            self._socket.close()
            return
        self._server.should_exit = True
        done, _ = await asyncio.wait({self._task}, timeout=grace_s)
        if not done:
            self._server.force_exit = True
            await self._task
