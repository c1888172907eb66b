"""Opens connections to targets and keeps those that may serve again.

The race between a host's addresses (RFC 8305) is aiohappyeyeballs'; TLS is the standard
library's, with the system's certificates.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import partial
from typing import Self
from urllib.parse import urlsplit

from aiohappyeyeballs import start_connection

from runtime.clock import SYSTEM, Clock
from runtime.request_limits import LIMITS, refusals
from runtime.targets.connection import Connection
from runtime.targets.connection_faults import ConnectionFaults, NoConnection
from runtime.targets.resolver import Resolver

IDLE_S_MAX = 15.0
CLOSE_S_MAX = 2.0
NEXT_ADDRESS_S = 0.25  # before a host's next address is tried beside the first
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads. ``host`` as in a URL, without brackets."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises ValueError for what is no http(s) URL, or cannot be sent as it is written. The
        message does not repeat the URL, which may hold a password."""
        if not (url.isascii() and url.isprintable()) or " " in url:
            raise ValueError("the URL must be in ASCII, without spaces")
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("the URL must be http(s)://host[:port]/path")
        if "@" in parts.netloc or "?" in url or "#" in url:
            raise ValueError("the URL may hold no user, password, query (?) or fragment (#)")
        if parts.port == 0:
            raise ValueError("the URL may not name port 0")
        return cls(parts.hostname, parts.port or PORTS[parts.scheme], parts.scheme == "https")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Connector:
    """One for a process: made and used on its event loop, closed at its end."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.clock = clock
        self.faults = ConnectionFaults()
        self._tls = tls or ssl.create_default_context()
        self._resolver = resolver or Resolver(clock=clock.monotonic_s)
        self._live: set[Connection] = set()
        self._opening = 0
        self._idle: dict[Origin, list[tuple[float, Connection]]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def connect(
        self, origin: Origin, connect_s_max: float, *, new: bool = False
    ) -> Connection:
        """An idle connection, else a new one. Raises OSError (TimeoutError among it) and
        UnicodeError (a name that cannot be one); then nothing has been sent."""
        idle = self._idle.get(origin, [])
        while idle and not new:
            _, connection = idle.pop()  # the one that was used last
            if connection.is_open:
                return connection
        if len(self._live) + self._opening >= LIMITS.connections_max:
            refusals["connections_max"] += 1
            raise NoConnection(f"{LIMITS.connections_max} connections are open")
        self._opening += 1
        try:
            async with asyncio.timeout(connect_s_max):
                return await self._open(origin)
        except OSError:
            self._resolver.forget(origin.host, origin.port)
            raise
        finally:
            self._opening -= 1

    async def close(self) -> None:
        """Cuts off whatever is under way."""
        if self._sweep is not None:
            self._sweep.cancel()
        live = list(self._live)
        for connection in live:
            connection.abort()
        if live:
            await asyncio.wait([each.lost for each in live], timeout=CLOSE_S_MAX)

    async def _open(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await self._resolver.addresses(origin.host, origin.port)
        try:
            connected = await start_connection(
                addresses, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1
            )
        except RuntimeError as error:  # what uvloop may raise in place of an OSError
            raise NoConnection(str(error)) from error
        _, connection = await loop.create_connection(
            lambda: Connection(partial(self._keep, origin), self._live.discard),
            sock=connected,  # from here on the transport's, which closes it
            ssl=self._tls if origin.tls else None,
            server_hostname=origin.host if origin.tls else None,
        )
        if not connection.is_open:  # it may have told so already: nobody would forget it
            raise NoConnection("the target closed the connection at once")
        self._live.add(connection)
        return connection

    def _keep(self, origin: Origin, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self._idle.setdefault(origin, []).append((loop.time(), connection))
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE_S_MAX, self._drop_idle)

    def _drop_idle(self) -> None:
        """The next may take twice as long to be dropped."""
        loop = asyncio.get_running_loop()
        kept: dict[Origin, list[tuple[float, Connection]]] = {}
        for origin, idle in self._idle.items():
            for since_s, connection in idle:
                if not connection.is_open:
                    continue
                if loop.time() - since_s >= IDLE_S_MAX:
                    connection.abort()
                else:
                    kept.setdefault(origin, []).append((since_s, connection))
        self._idle = kept
        self._sweep = loop.call_later(IDLE_S_MAX, self._drop_idle) if kept else None
