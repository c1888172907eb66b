"""An HTTP target: a local replica, or a provider's account.

Four timeout phases (connect, first byte, between bytes, whole answer), bodies passed as bytes.
A failure says whether the target can have started any work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from models.vendors import VendorTerms
from runtime.config import StreamConfig
from runtime.errors import BaseloadError, NotStarted, StreamBroken, UpstreamFailed
from runtime.request_limits import LIMITS, refusals
from runtime.targets.connector import Connector, Origin
from runtime.targets.error_statuses import failure, pause_of
from runtime.targets.response import Broken, NotSent, Response, Stale
from runtime.wire.dialect import StreamScanner

CONNECT_S_MAX = 2.0  # of a subscription
ANSWER_BYTES_MAX = 64 * 1024 * 1024  # of an answer that is not streamed
ERROR_BYTES_MAX = 64 * 1024
BEARER = VendorTerms("")  # of a target whose vendor is not known: an engine of ours, among others


@dataclass(slots=True)
class Upstream:
    """``base_url`` is what the path of each request is below. ``key`` is sent as a bearer token,
    unless ``terms`` say otherwise: those of a known vendor, which also say what its errors mean.

    Raises ValueError for a URL or a key that no request can carry.
    """

    connector: Connector
    base_url: str
    key: str = field(repr=False)
    name: str = "target"  # for operators: the offer, or the model of a replica
    terms: VendorTerms | None = None
    origin: Origin = field(init=False)
    _heads: dict[tuple[str, str], bytes] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.origin = Origin.of(self.base_url)
        if not (self.key.isascii() and self.key.isprintable()):
            raise ValueError("a key has characters that no header may hold")

    async def post(
        self,
        path: str,
        body: bytes,
        limits: StreamConfig,
        header: bytes = b"",
        on_sent: Callable[[], None] = lambda: None,
    ) -> Response:
        """Sends one request; returns a 200 whose body has not been read. ``header`` is a line, with
        its end, that this request has beside those that each has. ``on_sent`` is called when a
        connection was had: from then on the target may work.

        The phases between bytes are the gateway's watchdog's: a timer here would be set anew for
        every chunk. Raises NotStarted (no work was done), UpstreamFailed (it may have been) or
        UpstreamRejected (the request's own fault, with the target's status).
        """
        head = self._head("POST", self.base_url + path)
        request = b"%b%bcontent-length: %d\r\n\r\n%b" % (head, header, len(body), body)
        try:
            response = await self._ask(request, limits, on_sent, new=False)
        except Stale:  # nobody has read the request
            self.connector.faults.note_stale(self.name)
            response = await self._ask(request, limits, on_sent, new=True)
        if response.status == 200:
            return response
        raise await _failure(response, self.connector.clock.unix_ms() / 1000, self.terms)

    async def _ask(
        self, request: bytes, limits: StreamConfig, on_sent: Callable[[], None], *, new: bool
    ) -> Response:
        """An answer whose head has come. Raises Stale, never on a ``new`` connection."""
        connect_s_max = limits.connect_ms_max / 1000
        try:
            connection = await self.connector.connect(self.origin, connect_s_max, new=new)
        except (OSError, UnicodeError) as error:
            now_s = asyncio.get_running_loop().time()
            self.connector.faults.note(self.name, str(self.origin), error, now_s)
            raise NotStarted("the target did not accept the connection") from error
        response = connection.send(request)
        on_sent()
        response.expire_after(limits.answer_ms_max / 1000)
        try:
            await response.head()
        except Stale:
            raise
        except NotSent as error:
            raise NotStarted("the target did not take the whole request") from error
        except (Broken, TimeoutError) as error:
            raise UpstreamFailed("the target did not answer") from error
        except asyncio.CancelledError:
            response.close()
            raise
        return response

    @asynccontextmanager
    async def subscribe(
        self, path: str, silence_s_max: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """An endless stream of lines, such as a replica's load reports: once it has begun, and to
        its end. Raises OSError, here and from the lines (TimeoutError among it: silence)."""
        connection = await self.connector.connect(self.origin, CONNECT_S_MAX)
        head = self._head("GET", self.base_url.removesuffix("/v1") + path)
        response = connection.send(head + b"\r\n")
        try:
            async with asyncio.timeout(silence_s_max):
                status = await response.head()
            if status != 200:
                raise Broken(f"the target answered {status}")
            yield _lines(response, silence_s_max)
        finally:
            response.close()

    def _head(self, method: str, url: str) -> bytes:
        """Of every such request, up to its length."""
        if (kept := self._heads.get((method, url))) is None:
            parts = urlsplit(url)
            lines = (
                f"{method} {parts.path} HTTP/1.1",
                f"host: {parts.netloc}",
                *(BEARER if self.terms is None else self.terms).key_lines(self.key),
                "content-type: application/json",
                "accept: */*",
                "accept-encoding: identity",
                "user-agent: baseload",
            )
            kept = self._heads[method, url] = "".join(f"{line}\r\n" for line in lines).encode()
        return kept


async def read_answer(response: Response) -> bytes:
    """The whole body of an answer that is not streamed, bounded."""
    try:
        body, is_whole = await _read(response, ANSWER_BYTES_MAX)
    except (Broken, TimeoutError) as error:
        raise StreamBroken("the target broke off its answer") from error
    if not is_whole:
        raise StreamBroken("the target's answer is too large")
    return body


async def read_opening(response: Response, scanner: StreamScanner) -> bytes:
    """A stream up to its first words, or to an end without any: what may be sent of it."""
    while not scanner.over and (chunk := await response.read()):
        if passed := scanner.feed(chunk):
            return passed
        if scanner.begun:  # and ended at once: all of it is held back
            return b""
    return scanner.end()


async def _read(response: Response, bytes_max: int) -> tuple[bytes, bool]:
    """Up to so much of a body, and whether that is all of it."""
    parts: list[bytes] = []
    size = 0
    while part := await response.read():
        size += len(part)
        parts.append(part)
        if size > bytes_max:
            return b"".join(parts)[:bytes_max], False
    return b"".join(parts), True


async def _lines(response: Response, silence_s_max: float) -> AsyncIterator[bytes]:
    rest = b""
    while True:
        async with asyncio.timeout(silence_s_max):
            part = await response.read()
        if not part:
            raise Broken("the target ended its stream")
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > LIMITS.load_line_bytes_max:
            refusals["load_line_bytes_max"] += 1
            raise Broken("a line without an end")


async def _failure(response: Response, unix_s: float, terms: VendorTerms | None) -> BaseloadError:
    try:
        body = (await _read(response, ERROR_BYTES_MAX))[0]
    except (Broken, TimeoutError):
        body = b""
    finally:
        response.close()
    return failure(response.status, body, pause_of(response, unix_s, terms), terms)
