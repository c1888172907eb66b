"""What every request's headers are read for, in one pass: size, ids, trace, origin, upgrade."""

from __future__ import annotations

import re

from runtime.errors import HeaderTooLarge
from runtime.request.trace_context import TraceContext
from runtime.request_limits import LIMITS, refusals

Headers = list[tuple[bytes, bytes]]

ORIGIN = b"origin"
REQUEST_ID = b"x-request-id"
CLIENT_REQUEST_ID = b"x-client-request-id"
TRACEPARENT = b"traceparent"
UPGRADE = b"upgrade"

# In a scope: an x-request-id there is one that the server has set, and the caller's was renamed.
ID_IS_SERVERS = "baseload.id_is_servers"

_VISIBLE = re.compile(r"[!-~]+")
_READ = frozenset({ORIGIN, REQUEST_ID, CLIENT_REQUEST_ID, TRACEPARENT, UPGRADE})


def read_head(headers: Headers) -> dict[bytes, bytes]:
    """Those that are read here; one that was sent twice is empty. Raises HeaderTooLarge."""
    size = 0
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        size += len(name) + len(value)
        if name in _READ:
            found[name] = b"" if name in found else value
    if size > LIMITS.header_bytes_max:
        refusals["header_bytes_max"] += 1
        raise HeaderTooLarge(f"The headers of a request may have {LIMITS.header_bytes_max} bytes.")
    if len(headers) > LIMITS.headers_max:
        refusals["headers_max"] += 1
        raise HeaderTooLarge(f"A request may have {LIMITS.headers_max} headers.")
    return found


def client_request_id(found: dict[bytes, bytes]) -> str | None:
    """What the caller calls the request, if that can be a name in a log line."""
    name = CLIENT_REQUEST_ID if CLIENT_REQUEST_ID in found else REQUEST_ID
    if name not in found:
        return None
    text = found[name].decode("latin-1")
    if len(text) <= LIMITS.client_id_chars_max and _VISIBLE.fullmatch(text):
        return text
    refusals["client_id_chars_max"] += 1
    return None


def trace_context(found: dict[bytes, bytes]) -> TraceContext | None:
    if TRACEPARENT not in found:
        return None
    trace = TraceContext.parse(found[TRACEPARENT])
    if trace is None:
        refusals["traceparent"] += 1
    return trace
