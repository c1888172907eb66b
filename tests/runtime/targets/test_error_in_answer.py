"""An error under a status of 200 is the failure that its own status would have been."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import BadAnswer, NotStarted, UpstreamFailed, UpstreamRejected
from runtime.targets.error_in_answer import error_of
from scheduler.decision import Outcome


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "slow down", "code": 429}},
        {"error": {"message": "slow down", "code": "429"}},
        {"error": {"message": "slow down", "type": "rate_limit_error", "code": None}},
        {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
        {"error": {"status": "RESOURCE_EXHAUSTED"}},
        {"error": "slow down", "code": 429},
        {"error": {"message": "slow down"}, "code": 429},
        {"object": "error", "message": "slow down", "code": 429},
    ],
)
def test_a_rate_limit_is_one_wherever_it_is_told(error: dict[str, Any]) -> None:
    found = error_of(error)
    assert type(found) is NotStarted
    assert found.outcome is Outcome.RATE_LIMITED


@pytest.mark.parametrize(
    ("code", "kind", "outcome"),
    [
        (500, UpstreamFailed, Outcome.TARGET_FAILED),
        (502, UpstreamFailed, Outcome.TARGET_FAILED),
        (529, NotStarted, Outcome.TARGET_BUSY),
        ("overloaded_error", NotStarted, Outcome.TARGET_BUSY),
        (401, NotStarted, Outcome.KEY_REFUSED),
        ("insufficient_quota", NotStarted, Outcome.KEY_REFUSED),
    ],
)
def test_a_code_is_a_status(code: Any, kind: type[UpstreamFailed], outcome: Outcome) -> None:
    found = error_of({"error": {"message": "no", "code": code}})
    assert type(found) is kind
    assert found.outcome is outcome


def test_what_is_the_callers_fault_is_told_to_the_caller() -> None:
    found = error_of({"error": {"message": "too long", "code": 400, "param": "prompt"}})
    assert isinstance(found, UpstreamRejected)
    assert (found.status, found.message, found.param) == (400, "too long", "prompt")


@pytest.mark.parametrize(
    "error",
    [
        None,
        {"error": "no"},
        {"error": {}},
        {"error": {"code": 7, "type": "odd"}},
        {"error": {"code": True}},
        {"error": {"code": "99"}},
        {"error": {"code": "0429"}},
        {"error": {"code": "4" * 5_000}},
        {"error": {"code": 200}},
        {"error": {"code": 10**9}},
        {"error": ["no"]},
    ],
)
def test_an_error_that_says_no_status_may_have_been_work(error: Any) -> None:
    found = error_of(error)
    assert type(found) is BadAnswer
    assert found.outcome is Outcome.TARGET_FAILED
