"""What a status means, and how long a target asks to be left alone."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import NotStarted, UpstreamFailed, UpstreamRejected
from runtime.request_limits import LIMITS, refusals
from runtime.targets.error_statuses import failure, may_have_started, outcome_of, pause_of
from runtime.targets.response import Response
from scheduler.decision import Outcome

NOW_S = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


def _asked(retry_after: bytes = b"", ms: bytes = b"") -> float | None:
    response = Response(cast(asyncio.Transport, None))
    response.retry_after, response.retry_after_ms = retry_after, ms
    return pause_of(response, NOW_S)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0.0),
        (b"120", 120.0),
        (b" 1.5 ", 1.5),
        (b"9999999999", 9_999_999_999.0),
        (b"Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        (b"Friday, 15-Jan-27 08:00:30 GMT", 30.0),  # the two older forms of RFC 9110
        (b"Fri Jan 15 08:00:30 2027", 30.0),
        (b"Fri, 15 Jan 2027 07:59:00 GMT", 0.0),  # over
    ],
)
def test_a_pause_is_seconds_or_a_date(value: bytes, seconds: float) -> None:
    assert _asked(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"-1",
        b"soon",
        b"1e999",
        b"nan",
        b"inf",
        b"0x10",
        b"1_000",
        b"\xb2",
        b"1;2",
        b"99999999999",
    ],
)
def test_what_is_no_pause_is_none(value: bytes) -> None:
    assert _asked(value) is None


def test_a_date_is_utc_wherever_this_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert _asked(b"Fri Jan 15 08:00:30 2027") == 30.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_milliseconds_are_more_exact() -> None:
    assert _asked(b"1", b"20") == 0.02
    assert _asked(b"1", b"soon") == 1.0


def test_a_pause_is_not_read_without_end() -> None:
    before = refusals["retry_after_chars_max"]
    assert _asked(b" " * LIMITS.retry_after_chars_max + b"1") is None
    assert refusals["retry_after_chars_max"] > before


@given(st.binary(max_size=64) | st.text(max_size=40).map(str.encode))
def test_whatever_is_said_is_a_time_or_nothing(value: bytes) -> None:
    pause_s = _asked(value)
    assert pause_s is None or pause_s >= 0


@given(st.dates().map(str) | st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y %H:%M:%S %z")))
def test_any_date_is_a_time_or_nothing(text: str) -> None:
    pause_s = _asked(text.encode())
    assert pause_s is None or pause_s >= 0


NOT_STARTED = (*range(300, 309), 401, 402, 403, 404, 429, 498, 503, 521, 522, 523, 529)
STARTED = (200, 202, 408, 500, 502, 504, 520, 524, 599)


def test_who_may_have_started() -> None:
    assert [status for status in NOT_STARTED if may_have_started(status)] == []
    assert [status for status in STARTED if not may_have_started(status)] == []


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (Outcome.RATE_LIMITED, [429]),
        (Outcome.TARGET_BUSY, [498, 520, 521, 522, 523, 524, 529]),
        (Outcome.KEY_REFUSED, [401, 402]),
        (Outcome.ACCESS_REFUSED, [403]),
        (Outcome.TARGET_FAILED, [307, 404, 405, 408, 409, 425, 500, 502, 503, 504, 525, 526]),
    ],
)
def test_whose_trouble_it_is(outcome: Outcome, statuses: list[int]) -> None:
    assert [outcome_of(status) for status in statuses] == [outcome] * len(statuses)
    assert outcome_of(503, 0.0) is Outcome.TARGET_BUSY


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"error": {"code": "insufficient_quota"}}', Outcome.KEY_REFUSED),
        (b'{"error": {"code": "rate_limit_exceeded"}}', Outcome.RATE_LIMITED),
        (b'{"error": {"code": ["insufficient_quota"]}}', Outcome.RATE_LIMITED),
        (b'{"error": "insufficient_quota"}', Outcome.RATE_LIMITED),
        (b"[" * 100_000, Outcome.RATE_LIMITED),
        (b"", Outcome.RATE_LIMITED),
    ],
)
def test_an_account_without_money_is_not_cured_by_a_pause(body: bytes, outcome: Outcome) -> None:
    error = failure(429, body, None)
    assert isinstance(error, NotStarted)
    assert error.outcome is outcome


@given(st.integers(100, 999).filter(lambda status: status != 200), st.binary(max_size=200))
def test_every_status_is_one_error(status: int, body: bytes) -> None:
    error = failure(status, body, None)
    if isinstance(error, UpstreamRejected):
        assert 400 <= error.status < 500
        assert not may_have_started(status)
    else:
        assert isinstance(error, UpstreamFailed)
        assert isinstance(error, NotStarted) != may_have_started(status)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"error": ' * 50_000])
def test_a_body_that_is_deep_is_no_message(body: bytes) -> None:
    assert failure(400, body, None).message == "the target refused the request"
