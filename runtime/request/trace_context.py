"""W3C Trace Context: the span of a caller that a request is part of."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_FIRST_VERSION, _NO_VERSION = b"00", b"ff"


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Ids in lower-case hex, as they are sent and searched for."""

    trace_id: str
    span_id: str
    flags: int

    @classmethod
    def parse(cls, traceparent: bytes) -> TraceContext | None:
        """None where it is not valid: the standard says to go on as if it had not been sent."""
        found = _TRACEPARENT.fullmatch(traceparent)
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == _NO_VERSION or (more and version == _FIRST_VERSION):
            return None
        if not trace_id.strip(b"0") or not span_id.strip(b"0"):
            return None
        return cls(trace_id.decode(), span_id.decode(), int(flags, 16))

    def header(self) -> bytes:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode()
