"""One connection to a target: HTTP/1.1 (RFC 9112), one request at a time, as a client.

The parser is httptools', which is llhttp. A request of 64 chunks through a gateway takes 900 us of
processor time, and 1,140 by way of aiohttp's client (2 cores, scripted upstream, 2026-11-22);
here, tokens go on without waking a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from runtime.request_limits import LIMITS, refusals
from runtime.targets.rate_limit_headers import PREFIXES
from runtime.targets.response import Broken, NotSent, Response, Stale

# A target that had closed the connection already says so within one round trip. One that closes it
# later may have worked for as long.
STALE_S_MAX = 2.0

_HEEDED = frozenset({b"content-length", b"transfer-encoding", b"retry-after", b"retry-after-ms"})


class Connection(asyncio.Protocol):
    """``idle`` is told when the next request may be sent, ``gone`` when none may any more."""

    def __init__(
        self, idle: Callable[[Connection], None], gone: Callable[[Connection], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost = self._loop.create_future()
        self._idle = idle
        self._gone = gone
        self._transport: asyncio.Transport
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._response: Response | None = None  # under way
        self._head_bytes = 0
        self._is_framed = False  # its head says where its body ends; else its connection's end does
        self._is_complete = False
        self._keeps_alive = False
        self._is_unsent = False  # of the request, something is still here
        self._requests = 0
        self._asked_at_s = 0.0
        self._body: list[bytes] = []  # of the piece that is being parsed

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def send(self, request: bytes) -> Response:
        """Only while idle."""
        self._head_bytes = 0
        self._is_framed = self._is_complete = False
        self._requests += 1
        self._asked_at_s = self._loop.time()
        response = self._response = Response(self._transport)
        self._transport.write(request)
        return response

    def abort(self) -> None:
        self._transport.abort()

    # -- asyncio's protocol -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1, low=0)  # to hear of all that waits

    def pause_writing(self) -> None:
        self._is_unsent = True

    def resume_writing(self) -> None:
        self._is_unsent = False

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None or self._parser is None:  # nobody has asked
            self._transport.abort()
            return
        fault = None
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            fault = Broken(f"no HTTP: {error}")
        if self._body:
            response.arrived(self._body[0] if len(self._body) == 1 else b"".join(self._body))
            self._body.clear()
        elif not response.status:
            self._head_bytes += len(data)
            if self._head_bytes > LIMITS.target_head_bytes_max:
                refusals["target_head_bytes_max"] += 1
                fault = Broken("a head without an end")
        if self._is_complete:
            self._finish(response, reusable=fault is None)
        elif fault is not None:
            response.fail(fault)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        response, self._response = self._response, None
        if response is not None:
            if exc is None and response.status and not self._is_framed:
                response.end()
            else:
                response.fail(self._broken(response))
        self._parser = None  # it holds this object
        self._gone(self)
        if not self.lost.done():
            self.lost.set_result(None)

    def _broken(self, response: Response) -> Broken:
        if response.status or self._head_bytes:
            return Broken("the target closed the connection")
        waited_s = self._loop.time() - self._asked_at_s
        if self._requests > 1 and (self._is_unsent or waited_s <= STALE_S_MAX):
            return Stale("the target closed a kept connection")
        if self._is_unsent:
            return NotSent("the target closed the connection before it had the request")
        return Broken("the target closed the connection")

    def _finish(self, response: Response, *, reusable: bool) -> None:
        self._response = None
        unsent = self._transport.get_write_buffer_size()  # it was refused before it was heard
        if reusable and self._keeps_alive and not unsent and self.is_open:
            self._idle(self)
        else:
            self._transport.abort()
        response.end()

    # -- the parser's -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise ValueError("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if (name := name.lower()) not in _HEEDED or self._response is None:
            if name.startswith(PREFIXES) and self._response is not None:
                self._response.limits[name] = value
            return
        if name == b"retry-after":
            self._response.retry_after = value
        elif name == b"retry-after-ms":
            self._response.retry_after_ms = value
        else:
            self._is_framed = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code() if self._parser else 0
        if status >= 200 and self._response is not None:  # what comes before is provisional
            self._response.begin(status)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser is not None and self._response is not None and self._response.status:
            self._is_complete = True
            self._keeps_alive = self._parser.should_keep_alive()  # it forgets at once
