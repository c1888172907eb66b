"""An OpenAI-compatible HTTP target: a local replica, or a provider's account.

One shared session, four timeout phases (connect, first byte, between bytes, whole answer),
bodies passed as bytes. A failure says whether the target can have started any work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import aiohttp

from runtime.config import StreamConfig
from runtime.errors import BaseloadError, NotStarted, StreamBroken, UpstreamFailed, UpstreamRejected

CONNECTIONS_MAX = 4096
READ_BUFFER_BYTES = 256 * 1024  # per stream, before back pressure reaches the target
ANSWER_BYTES_MAX = 64 * 1024 * 1024  # of an answer that is not streamed
ERROR_BYTES_MAX = 64 * 1024
MESSAGE_CHARS_MAX = 500
BUSY_STATUSES = frozenset({408, 409, 425, 429})  # 4xx that are the target's state, not a fault

# Our key, our account, the name or address that we have for the model: never the caller's fault.
OUR_FAULTS = frozenset({401, 402, 403, 404, 405})


def new_session() -> aiohttp.ClientSession:
    """The one session of a process."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, limit_per_host=0),
        read_bufsize=READ_BUFFER_BYTES,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"accept-encoding": "identity", "user-agent": "baseload"},
        timeout=aiohttp.ClientTimeout(total=None),
    )


@dataclass(slots=True)
class Upstream:
    """``base_url`` ends before ``/chat/completions``; ``key`` is sent as a bearer token."""

    session: aiohttp.ClientSession
    base_url: str
    key: str = field(repr=False)

    async def post(self, path: str, body: bytes, limits: StreamConfig) -> aiohttp.ClientResponse:
        """Sends one request; returns a 200 whose body has not been read.

        The phases between bytes are the gateway's watchdog's: a timer here would be set anew for
        every chunk. Raises NotStarted (no work was done), UpstreamFailed (it may have been) or
        UpstreamRejected (the request's own fault, with the target's status).
        """
        timeout = aiohttp.ClientTimeout(
            total=limits.answer_ms_max / 1000,
            sock_connect=limits.connect_ms_max / 1000,
        )
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        try:
            response = await self.session.post(
                self.base_url + path,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotStarted("the target did not accept the connection") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UpstreamFailed("the target did not answer") from error
        if response.status == 200:
            return response
        raise await _failure(response)

    async def subscribe(self, path: str, silence_s_max: float) -> aiohttp.ClientResponse:
        """An endless stream of lines, such as a replica's load reports."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=silence_s_max)
        return await self.session.get(
            self.base_url.removesuffix("/v1") + path,
            headers={"authorization": f"Bearer {self.key}"},
            timeout=timeout,
            raise_for_status=True,
        )


async def read_answer(response: aiohttp.ClientResponse) -> bytes:
    """The whole body of an answer that is not streamed, bounded."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > ANSWER_BYTES_MAX:
                raise StreamBroken("the target's answer is too large")
            parts.append(part)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise StreamBroken("the target broke off its answer") from error
    return b"".join(parts)


async def _failure(response: aiohttp.ClientResponse) -> BaseloadError:
    status = response.status
    try:
        text = (await response.content.read(ERROR_BYTES_MAX)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError):
        text = ""
    finally:
        response.release()
    if status in BUSY_STATUSES or status == 503:
        return NotStarted(f"the target is busy ({status})")
    if status in OUR_FAULTS or not 400 <= status < 500:
        return UpstreamFailed(f"the target answered {status}")
    message, param = _safe_message(text)
    return UpstreamRejected(message, status=status, param=param)


def _safe_message(text: str) -> tuple[str, str | None]:
    try:
        error = json.loads(text)["error"]
        message, param = str(error["message"]), error.get("param")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "the target refused the request", None
    return message[:MESSAGE_CHARS_MAX], param if isinstance(param, str) else None
