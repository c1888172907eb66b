"""How long a vendor's limits leave no room, by what the head of its refusal says of each.

``Retry-After`` is better, and comes first; not every refusal has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from models.vendors import RateHeaders
from runtime.request_limits import LIMITS, refusals

# What a connection keeps of a head: the names that the vendors' documentation has begin so.
PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?", re.ASCII)
_MILLISECONDS = re.compile(r"(\d{1,10}(?:\.\d{1,9})?)ms", re.ASCII)


def exhausted_s(told: Mapping[bytes, bytes], form: RateHeaders, unix_s: float) -> float | None:
    """Seconds until the last of the limits that have nothing left has room again; None where none
    says so. It is ``unix_s`` now."""
    pauses = [
        pause
        for limited in form.limited
        if _text(told, form.remaining, limited) == "0"
        and (pause := _pause(_text(told, form.reset, limited), form, unix_s)) is not None
    ]
    return max(pauses, default=None)


def _text(told: Mapping[bytes, bytes], name: str, limited: str) -> str:
    value = told.get(name.replace("{}", limited).encode(), b"")
    if len(value) > LIMITS.retry_after_chars_max:
        refusals["retry_after_chars_max"] += 1
        return ""
    return value.decode("latin-1").strip()


def _pause(reset: str, form: RateHeaders, unix_s: float) -> float | None:
    if form.reset_is == "duration":
        return _duration_s(reset)
    try:
        until = datetime.fromisoformat(reset)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, until.timestamp() - unix_s)


def _duration_s(text: str) -> float | None:
    """Such as 6m0s, 1.5s or 20ms."""
    if found := _MILLISECONDS.fullmatch(text):
        return float(found[1]) / 1000
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
