"""Errors as vendors name them, and what each means for the request and for the account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.vendors import Meaning, load_vendors
from runtime.errors import BadAnswer, NotStarted, UpstreamFailed, UpstreamRejected
from runtime.targets.error_in_answer import error_of
from runtime.targets.error_statuses import failure
from scheduler.decision import Outcome

VENDORS = load_vendors().by_name


def _error(**told: Any) -> dict[str, Any]:
    return {"error": {"message": "no", **told}}


def _anthropic(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "error", **_error(type=kind, **more)}


def _minimax(code: int) -> dict[str, Any]:
    return {"choices": None, "base_resp": {"status_code": code, "status_msg": "no"}}


SPENT = {"details": {"error_code": "enforced_spend_limit_reached"}}
SAID = [
    (
        "openai",
        429,
        _error(type="insufficient_quota", code="insufficient_quota"),
        Outcome.KEY_REFUSED,
    ),
    ("openai", 429, _error(type="requests", code="rate_limit_exceeded"), Outcome.RATE_LIMITED),
    ("dashscope", 429, _error(code="insufficient_quota"), Outcome.RATE_LIMITED),
    ("dashscope", 400, _error(code="Arrearage"), Outcome.KEY_REFUSED),
    ("dashscope", 400, _error(code="data_inspection_failed"), None),
    ("anthropic", 529, _anthropic("overloaded_error"), Outcome.TARGET_BUSY),
    ("anthropic", 429, _anthropic("rate_limit_error"), Outcome.RATE_LIMITED),
    ("anthropic", 429, _anthropic("rate_limit_error", **SPENT), Outcome.KEY_REFUSED),
    ("anthropic", 401, _anthropic("authentication_error"), Outcome.KEY_REFUSED),
    ("anthropic", 402, _anthropic("billing_error"), Outcome.KEY_REFUSED),
    ("anthropic", 403, _anthropic("permission_error"), Outcome.ACCESS_REFUSED),
    ("anthropic", 404, _anthropic("not_found_error"), Outcome.ACCESS_REFUSED),
    ("anthropic", 400, _anthropic("invalid_request_error"), None),
    ("anthropic", 413, _anthropic("request_too_large"), None),
    ("zhipu", 429, _error(code="1113"), Outcome.KEY_REFUSED),
    ("zhipu", 429, _error(code="1302"), Outcome.RATE_LIMITED),
    ("zhipu", 429, _error(code="1305"), Outcome.TARGET_BUSY),
    ("zhipu", 400, _error(code="1301"), None),
    ("moonshot", 429, _error(type="engine_overloaded_error"), Outcome.TARGET_BUSY),
    ("moonshot", 429, _error(type="exceeded_current_quota_error"), Outcome.KEY_REFUSED),
    ("moonshot", 400, _error(type="content_filter"), None),
    ("openrouter", 403, _error(code=403, metadata={"flagged_input": "x"}), None),
    ("openrouter", 403, _error(code=403), Outcome.ACCESS_REFUSED),
    ("minimax", 200, _minimax(1002), Outcome.RATE_LIMITED),
    ("minimax", 200, _minimax(1008), Outcome.KEY_REFUSED),
    ("minimax", 200, _minimax(1026), None),
]


@pytest.mark.parametrize(("vendor", "status", "told", "outcome"), SAID)
def test_whose_trouble_it_is(
    vendor: str, status: int, told: dict[str, Any], outcome: Outcome | None
) -> None:
    """None is the caller's."""
    terms = VENDORS[vendor].terms("m")
    error = failure(status, json.dumps(told).encode(), 7.0, terms)
    if outcome is None:
        assert isinstance(error, UpstreamRejected)
        assert 400 <= error.status < 500
        return
    assert isinstance(error, NotStarted)
    assert (error.outcome, error.pause_s) == (outcome, 7.0)


@pytest.mark.parametrize(("vendor", "status", "told", "outcome"), SAID)
def test_inside_of_an_answer_it_is_the_same(
    vendor: str, status: int, told: dict[str, Any], outcome: Outcome | None
) -> None:
    error = error_of(told, VENDORS[vendor].terms("m"))
    if outcome is None:
        assert isinstance(error, UpstreamRejected)
        return
    assert isinstance(error, NotStarted)
    assert error.outcome is outcome


def test_a_failure_inside_may_have_cost_something() -> None:
    terms = VENDORS["anthropic"].terms("m")
    error = error_of(_anthropic("api_error"), terms)
    assert isinstance(error, UpstreamFailed)
    assert not isinstance(error, NotStarted)
    assert failure(500, b"", None, terms).status == 502


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b'{"error": 7}', b'{"error": {"code": [1]}}']
)
def test_what_names_no_known_error_is_read_by_its_status(body: bytes) -> None:
    terms = VENDORS["anthropic"].terms("m")
    error = failure(529, body, None, terms)
    assert isinstance(error, NotStarted)
    assert error.outcome is Outcome.TARGET_BUSY


def test_without_terms_a_name_means_nothing() -> None:
    assert isinstance(error_of(_minimax(1002)), BadAnswer)
    assert isinstance(
        failure(400, json.dumps(_error(code="Arrearage")).encode(), None), UpstreamRejected
    )


def test_every_meaning_is_used() -> None:
    used = {meaning for vendor in VENDORS.values() for meaning in vendor.errors.values()}
    assert used == set(Meaning)
