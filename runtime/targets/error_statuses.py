"""What it means that a target answered with something else than 200.

Three questions: may it have worked, and so bill; whose trouble is it; and for how long does it ask
to be left alone? Vendors document their statuses, and differ: what one of them may bill for (Azure
OpenAI after a 408, which most others never send) counts as work, and a 403 can be about the
account, the model, or just this request (moderation at OpenRouter, a prompt too long at Together).
"""

from __future__ import annotations

import json
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from models.vendors import Meaning, VendorTerms
from runtime.errors import (
    BaseloadError,
    ContentRefused,
    NotStarted,
    UpstreamFailed,
    UpstreamRejected,
)
from runtime.request_limits import LIMITS, refusals
from runtime.targets.content_refusal import is_content_refusal
from runtime.targets.rate_limit_headers import exhausted_s
from runtime.targets.response import Response
from runtime.targets.vendor_errors import meaning_of
from scheduler.decision import Outcome

MESSAGE_CHARS_MAX = 500

# 4xx that are the target's state, not the request's fault (498 is Groq's for no capacity).
BUSY_STATUSES = frozenset({408, 409, 425, 429, 498})

# Our key, our account, the name or address that we have for the model: never the caller's fault.
OUR_FAULTS = frozenset({401, 402, 403, 404, 405})

# 5xx that are said before a model is asked: not implemented, no room, overloaded (529), and what
# Cloudflare says of a server that it could not reach (521 to 523, 525, 526, 530).
NOT_STARTED_5XX = frozenset({501, 503, 505, 521, 522, 523, 525, 526, 529, 530})

OUTCOMES = {
    401: Outcome.KEY_REFUSED,
    402: Outcome.KEY_REFUSED,
    403: Outcome.ACCESS_REFUSED,
    429: Outcome.RATE_LIMITED,
    498: Outcome.TARGET_BUSY,
    529: Outcome.TARGET_BUSY,
    **dict.fromkeys(range(520, 525), Outcome.TARGET_BUSY),
}

# A 429 that no pause cures: the account has no money left (OpenAI, and who copies its errors).
NO_MONEY_CODES = frozenset({"insufficient_quota", "credit_balance_exhausted"})

MEANT = {
    Meaning.RATE_LIMITED: Outcome.RATE_LIMITED,
    Meaning.BUSY: Outcome.TARGET_BUSY,
    Meaning.NO_MONEY: Outcome.KEY_REFUSED,
    Meaning.KEY_REFUSED: Outcome.KEY_REFUSED,
    Meaning.ACCESS_REFUSED: Outcome.ACCESS_REFUSED,
}

_SECONDS = re.compile(r"\d{1,10}(\.\d{1,9})?", re.ASCII)


def may_have_started(status: int) -> bool:
    """Whether a target that answered with this status can have worked, and so can bill for it.

    Redirects and 4xx are said before any work, but for a time-out. Of the rest, what is not known
    to be said before it may have been said after it.
    """
    if status == 408:
        return True
    return not 300 <= status < 500 and status not in NOT_STARTED_5XX


def outcome_of(status: int, pause_s: float | None = None) -> Outcome:
    """The outcome of an answer that is not the caller's fault. A 503 that says when to come back is
    no failure."""
    if status == 503 and pause_s is not None:
        return Outcome.TARGET_BUSY
    return OUTCOMES.get(status, Outcome.TARGET_FAILED)


def failure(
    status: int, body: bytes, pause_s: float | None, terms: VendorTerms | None = None
) -> BaseloadError:
    """The error that an answer with this status is; ``terms`` say what its vendor calls errors."""
    told = _told(body)
    if (meaning := meaning_of(terms, told)) is not None:
        return _meant(meaning, status, told, pause_s)
    if is_content_refusal(told):
        return content_refused(told, status)
    is_callers = 400 <= status < 500 and status not in BUSY_STATUSES | OUR_FAULTS
    if is_callers:
        message, param = _safe_message(told)
        return UpstreamRejected(message, status=status, param=param)
    kind = UpstreamFailed if may_have_started(status) else NotStarted
    outcome = outcome_of(status, pause_s)
    if outcome is Outcome.RATE_LIMITED and _code(told) in NO_MONEY_CODES:
        outcome = Outcome.KEY_REFUSED
    return kind(f"the target answered {status}", outcome=outcome, pause_s=pause_s)


def _meant(
    meaning: Meaning, status: int, told: dict[str, Any], pause_s: float | None
) -> BaseloadError:
    if meaning is Meaning.CONTENT_POLICY:
        return content_refused(told, status)
    if meaning is Meaning.BAD_REQUEST:
        message, param = _safe_message(told)
        is_4xx = 400 <= status < 500 and status not in BUSY_STATUSES
        return UpstreamRejected(message, status=status if is_4xx else 400, param=param)
    says = f"the target answered {status}: {meaning.value}"
    if meaning is Meaning.FAILED:
        kind = UpstreamFailed if may_have_started(status) else NotStarted
        return kind(says, outcome=outcome_of(status, pause_s), pause_s=pause_s)
    return NotStarted(says, outcome=MEANT[meaning], pause_s=pause_s)


def pause_of(response: Response, unix_s: float, terms: VendorTerms | None = None) -> float | None:
    """How many seconds the target asked to be left alone, None where it did not say so in a way
    that can be understood: ``Retry-After`` in seconds or as a date, or ``retry-after-ms``, or what
    its vendor's ``terms`` call a limit with nothing left. It is ``unix_s`` now."""
    if (asked_s := _asked_s(response, unix_s)) is not None:
        return asked_s
    form = None if terms is None else terms.rate_headers
    return None if form is None else exhausted_s(response.limits, form, unix_s)


def _asked_s(response: Response, unix_s: float) -> float | None:
    if (exact_ms := _number(response.retry_after_ms)) is not None:
        return exact_ms / 1000
    if (seconds := _number(response.retry_after)) is not None:
        return seconds
    text = _text(response.retry_after)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if until.tzinfo is None:  # as in the oldest form
        until = until.replace(tzinfo=UTC)
    return max(0.0, until.timestamp() - unix_s)


def _number(value: bytes) -> float | None:
    text = _text(value)
    return float(text) if _SECONDS.fullmatch(text) else None


def _text(value: bytes) -> str:
    if len(value) > LIMITS.retry_after_chars_max:
        refusals["retry_after_chars_max"] += 1
        return ""
    return value.decode("latin-1").strip()


def content_refused(told: dict[str, Any], status: int | None) -> ContentRefused:
    """Whatever its status: what one target refused for its content, no other is asked."""
    message, _ = _safe_message(told)
    is_callers = status is not None and 400 <= status < 500 and status not in OUR_FAULTS
    return ContentRefused(message, status=status if is_callers and status else 400)


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _error(told: dict[str, Any]) -> dict[str, Any]:
    error = told.get("error")
    return error if isinstance(error, dict) else {}


def _code(told: dict[str, Any]) -> str | None:
    code = _error(told).get("code")
    return code if isinstance(code, str) else None


def _safe_message(told: dict[str, Any]) -> tuple[str, str | None]:
    error = _error(told)
    if "message" not in error:
        return "the target refused the request", None
    param = error.get("param")
    return str(error["message"])[:MESSAGE_CHARS_MAX], param if isinstance(param, str) else None
