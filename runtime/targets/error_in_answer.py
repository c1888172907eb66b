"""What it means that a target told an error where an answer was due, under a status of 200.

Gateways and proxies of vendors do this: the status that the error would have had stands in it, or
its name does. With that it is the same failure as it would have been with its own status.
"""

from __future__ import annotations

import json
from typing import Any

from models.vendors import VendorTerms
from runtime.errors import BadAnswer, BaseloadError
from runtime.targets.content_refusal import is_content_refusal
from runtime.targets.error_statuses import content_refused, failure
from runtime.targets.vendor_errors import meaning_of

UNKNOWN_STATUS = 500  # work may have been done
STATUS_KEYS = ("code", "status", "status_code", "http_code")
NAME_KEYS = ("code", "type", "status")
STATUSES = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limited": 429,
    "resource_exhausted": 429,
    "insufficient_quota": 402,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "overloaded": 529,
    "overloaded_error": 529,
    "engine_overloaded_error": 529,  # Moonshot
    "unavailable": 503,
    "service_unavailable": 503,
    "timeout": 504,
}


def error_of(told: dict[str, Any] | None, terms: VendorTerms | None = None) -> BaseloadError:
    """The error to raise; ``told`` is the answer, or the event, that is one, and ``terms`` those
    of its vendor."""
    status = _status(told or {})
    is_known = meaning_of(terms, told or {}) is not None
    if told and not is_known and is_content_refusal(told):
        return content_refused(told, status)
    if status is None and is_known:
        status = UNKNOWN_STATUS
    if status is None:
        return BadAnswer("the target told an error")
    return failure(status, json.dumps(told).encode(), None, terms)


def _status(told: dict[str, Any]) -> int | None:
    error = told.get("error")
    for place in (error, told) if isinstance(error, dict) else (told,):
        for key in STATUS_KEYS:
            if (status := _number(place.get(key))) is not None:
                return status
        for key in NAME_KEYS:
            name = place.get(key)
            if isinstance(name, str) and name.lower() in STATUSES:
                return STATUSES[name.lower()]
    return None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
        value = int(value)
    is_status = isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600
    return value if is_status else None
