"""Sends one request and writes down what became of it. Nothing is ever sent twice."""

from __future__ import annotations

import asyncio
import itertools
import time
from array import array
from collections.abc import Sequence
from dataclasses import replace

import aiohttp

from benchmarks.load.endpoint import Endpoint
from benchmarks.load.request_row import WHOLE, ErrorKind, Row
from benchmarks.load.schedule import Ask
from benchmarks.load.stream import MESSAGE_CHARS_MAX, Counters, Stream

CONNECT_S_MAX = 30.0
TARGET_HEADER = "x-baseload-target"
BUDGET_HEADER = "x-baseload-latency-budget-ms"
REFUSAL_BYTES_MAX = 4096
# Below the five seconds after which common servers close an idle connection: a request sent
# while it closes would be lost, and count as an error of the server's.
KEEPALIVE_S = 4.0


def open_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
        timeout=aiohttp.ClientTimeout(total=endpoint.timeout_s, sock_connect=CONNECT_S_MAX),
    )


class Sender:
    """Endpoints are asked in turn. ``messages`` holds the first text of each kind of error, without
    the key."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        session: aiohttp.ClientSession,
        start_s: float,
        stream: type[Stream] = Stream,
    ) -> None:
        self.counters = Counters()
        self.messages: dict[str, str] = {}
        self.reason_to_cancel = ErrorKind.UNFINISHED
        self._endpoints = itertools.cycle([(each, each.headers) for each in endpoints])
        self._session = session
        self._stream = stream
        self._start_s = start_s

    async def send(self, ask: Ask, body: bytes, scheduled_s: float) -> Row:
        endpoint, headers = next(self._endpoints)
        if ask.budget_ms is not None:
            headers = headers | {BUDGET_HEADER: str(ask.budget_ms)}
        stream = self._stream()
        sent_s = self._now_s()
        status = 0
        kept: dict[str, str] = {}
        try:
            async with self._session.post(endpoint.url, data=body, headers=headers) as response:
                status = response.status
                stream.target = response.headers.get(TARGET_HEADER)
                kept = {
                    n: response.headers[n] for n in endpoint.kept_headers if n in response.headers
                }
                if status == 200:
                    await stream.read(response.content, self.counters, self._now_s)
                    error, message = _verdict(stream)
                else:
                    told = await response.content.read(REFUSAL_BYTES_MAX)
                    error = _http_kind(status)
                    message = f"{status} {told.decode(errors='replace')}"
        except aiohttp.ConnectionTimeoutError:
            error, message = ErrorKind.CONNECT, f"no connection within {CONNECT_S_MAX:g} s"
        except TimeoutError:
            error, message = ErrorKind.TIMEOUT, f"not within {endpoint.timeout_s:g} s"
        except aiohttp.ClientError as found:
            error = ErrorKind.BROKEN_STREAM if status else ErrorKind.CONNECT
            message = f"{type(found).__name__}: {found}"
        except asyncio.CancelledError:  # only the player cancels, at the end: the row must stay
            error, message = self.reason_to_cancel, ""
        if error != WHOLE:
            self.messages.setdefault(error, endpoint.without_key(message)[:MESSAGE_CHARS_MAX])
        row = self._row(ask, stream, (scheduled_s, sent_s, self._now_s()), status, error)
        return replace(row, headers=kept) if kept else row

    def unsent(self, ask: Ask) -> Row:
        """The row of a request that was never sent, because too many were under way until the
        end."""
        now_s = self._now_s()
        return self._row(ask, Stream(), (ask.at_s, now_s, now_s), 0, ErrorKind.UNFINISHED)

    def _row(
        self,
        ask: Ask,
        stream: Stream,
        times_s: tuple[float, float, float],
        status: int,
        error: str,
    ) -> Row:
        scheduled_s, sent_s, ended_s = times_s
        usage = stream.usage
        return Row(
            number=ask.number,
            scheduled_s=scheduled_s,
            sent_s=sent_s,
            first_token_s=stream.first_s,
            last_token_s=stream.last_s,
            ended_s=ended_s,
            asked_prompt_tokens=ask.prompt_tokens,
            asked_output_tokens=ask.output_tokens,
            prompt_tokens=usage.prompt_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            status=status,
            error=str(error),
            gaps_ms=array("f", stream.gaps_ms),  # without the room that it grew into
            gaps_lost=stream.gaps_lost,
            target=stream.target,
            cost_nano_usd=stream.cost_nano_usd,
            events=stream.events,
        )

    def _now_s(self) -> float:
        return time.monotonic() - self._start_s


def _http_kind(status: int) -> ErrorKind:
    if status == 429:
        return ErrorKind.HTTP_429
    return ErrorKind.HTTP_5XX if status >= 500 else ErrorKind.HTTP_4XX


def _verdict(stream: Stream) -> tuple[str, str]:
    if stream.failure is not None:
        return ErrorKind.BROKEN_STREAM, stream.failure
    if not stream.is_done:
        return ErrorKind.BROKEN_STREAM, "it ended without [DONE]"
    if stream.first_s is None:
        return ErrorKind.BROKEN_STREAM, "it held no token"
    if stream.usage is None:
        return ErrorKind.NO_USAGE, "no usage in the stream, so that its tokens are unknown"
    return WHOLE, ""
