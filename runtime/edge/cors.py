"""Which pages of other origins may call, and what their browsers are told.

Off unless the configuration names origins. A key is what lets a caller in, here as everywhere, and
the page has to send it: nothing is ever allowed by a cookie (no credentials).
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.responses import Response

from runtime.cors_origin import EVERY
from runtime.edge.response_headers import ANSWER_HEADERS, REFUSAL_HEADERS
from runtime.request_limits import LIMITS

MAX_AGE_S = 600  # of a preflight's answer

Headers = list[tuple[bytes, bytes]]

# What a page may read of an answer, beside its body.
EXPOSED = ", ".join([*ANSWER_HEADERS, *REFUSAL_HEADERS]).encode()
_SENT = "authorization, content-type"  # what every caller's page sends
_NAMES = re.compile(r"[A-Za-z0-9_-]+( *, *[A-Za-z0-9_-]+)*")


def is_allowed(allowed: Collection[str], asking: bytes) -> bool:
    """Whether pages of this origin may call; ``b""`` where it is no page that asks."""
    return bool(asking) and (EVERY in allowed or asking.decode("latin-1") in allowed)


def allowing(allowed: Collection[str], asking: bytes) -> Headers:
    """What an answer tells the browser, and the caches on the way to it."""
    told = [] if EVERY in allowed else [(b"vary", b"origin")]  # a page's answer is its own
    if is_allowed(allowed, asking):
        told.append((b"access-control-allow-origin", b"*" if EVERY in allowed else asking))
        told.append((b"access-control-expose-headers", EXPOSED))
    return told


def preflight(wanted: str) -> Response:
    """The answer to a browser that asks before it sends; ``wanted`` are the headers it would."""
    if len(wanted) > LIMITS.cors_headers_chars_max or not _NAMES.fullmatch(wanted):
        wanted = _SENT
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": "GET, HEAD, POST",
            "access-control-allow-headers": wanted,
            "access-control-max-age": str(MAX_AGE_S),
        },
    )
