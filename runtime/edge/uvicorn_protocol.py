"""uvicorn's protocol for our own servers and for Serve's in a Scheduler: what is no HTTP is refused
in our envelope, and the head of a request has bounds, in bytes and in time, before it is complete.

Under Serve, HAProxy stands before it with its own (``cluster.machine.haproxy_config``).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runtime.edge.raw_error_response import whole_refusal
from runtime.errors import BadRequest, BaseloadError, HeaderTooLarge, RequestTimeout
from runtime.request_limits import LIMITS, refusals

LINGER_S = 1.0


class EdgeProtocol(HttpToolsProtocol):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_head = True
        self._head_bytes = 0
        self._ended = False  # a request, in this read: what came of the next one is not told apart
        self._refused = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(LIMITS.head_read_s_max, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._ended = False
        super().data_received(data)
        if self._in_head and not self._ended and not self._refused:
            self._head_bytes += len(data)
            if self._head_bytes > LIMITS.head_bytes_max:
                refusals["head_bytes_max"] += 1
                self._refuse(HeaderTooLarge())
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(LIMITS.head_read_s_max, self._head_is_late)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = self._ended = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        refusals["invalid_http"] += 1
        self._refuse(BadRequest("The request is not valid HTTP/1.1."))

    def _unsupported_upgrade_warning(self) -> None:
        """A caller's wish is no line in our log. The edge sees it in the headers."""

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._refused or self.transport.is_closing():
            return
        refusals["head_read_s_max"] += 1
        if self._head_bytes == 0:  # nothing was asked that could be answered
            self._refused = True
            self.transport.close()
        else:
            self._refuse(RequestTimeout("The head of the request did not arrive in time."))

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, error: BaseloadError) -> None:
        """Tells it and ends the connection, but reads on for a moment: one that is closed while
        its client still sends is reset, and then the client reads nothing."""
        self._refused = True
        self._stop_head_timer()
        cycle = self.cycle
        is_answering = cycle is not None and not cycle.response_complete
        if is_answering:
            cycle.disconnected = True
            cycle.message_event.set()
        if is_answering and cycle.response_started:  # nothing else can be written into it
            self.transport.close()
            return
        self.transport.write(whole_refusal(error))
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)
