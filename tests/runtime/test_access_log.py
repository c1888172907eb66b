"""A line says everything that is known of a request, in one line whatever a caller sends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import access_log
from runtime.ledger.rows import Ending, Settle
from runtime.record import RequestRecord
from runtime.trace_context import TraceContext
from tests.runtime.lines import listening

DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"
NOON_S = 1_893_499_200.25


def _row(outcome: str) -> Settle:
    return Settle("r", 1, 0, Ending.SETTLE, outcome, 7, 2, 3, 1_500, "target", "", 4, 50, 60)


def _ended(record: RequestRecord) -> tuple[str, str | None]:
    told = access_log.fields(record, NOON_S, record.arrived_s)
    return told["outcome"], told["error"]


def test_all_that_is_known_is_said() -> None:
    record = RequestRecord(
        "req-1",
        "POST",
        "/v1/chat/completions",
        arrived_s=10.0,
        client_request_id="mine",
        trace=TraceContext("a" * 32, "b" * 16, 1),
        tenant="acme",
        feature="search",
        task="summary",
        model="m",
        streamed=True,
        status=200,
        target="local:m-1",
        reason="local_fit",
        attempts=2,
        cost_nano_usd=2_500,
        last=_row("ok"),
    )
    assert access_log.fields(record, NOON_S, 10.5) == {
        "time": "2030-01-01T12:00:00.250+00:00",
        "request_id": "req-1",
        "client_request_id": "mine",
        "trace_id": "a" * 32,
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "outcome": "ok",
        "error": None,
        "tenant": "acme",
        "feature": "search",
        "task": "summary",
        "model": "m",
        "streamed": True,
        "target": "local:m-1",
        "reason": "local_fit",
        "attempts": 2,
        "prompt_tokens": 7,
        "cached_tokens": 2,
        "completion_tokens": 3,
        "cost_usd": "0.0000025",
        "cost_nano_usd": 2_500,
        "held_ms": 4,
        "ttft_ms": 50,
        "e2e_ms": 500,
    }


def test_what_is_not_known_is_null_and_never_a_zero() -> None:
    told = access_log.fields(RequestRecord("req-1", "GET", "/x", status=404), NOON_S, 0.0)
    for name in ("prompt_tokens", "completion_tokens", "ttft_ms", "held_ms", "tenant", "target"):
        assert told[name] is None


@pytest.mark.parametrize(
    ("record", "ended"),
    [
        (RequestRecord("r", status=200), ("ok", None)),
        (RequestRecord("r", status=401, error="invalid_api_key"), ("refused", "invalid_api_key")),
        (RequestRecord("r", status=500, error="internal_error"), ("failed", "internal_error")),
        (RequestRecord("r", left=True), ("client_left", None)),
        (RequestRecord("r", status=200, last=_row("ok")), ("ok", None)),
        (
            RequestRecord("r", status=200, last=_row("client_left"), left=True),
            ("client_left", None),
        ),
        # It left while a second target was looked for.
        (RequestRecord("r", last=_row("target_failed: x"), left=True), ("client_left", None)),
        # It left as its whole answer was sent: the ledger has it as served.
        (RequestRecord("r", status=200, last=_row("ok"), left=True), ("ok", None)),
        (
            RequestRecord("r", status=200, last=_row("target_failed: stream_stalled")),
            ("target_failed", "stream_stalled"),
        ),
        (
            RequestRecord("r", status=502, error="upstream_error", last=_row("target_failed: x")),
            ("target_failed", "upstream_error"),
        ),
        # The answer was there, and its end could not be written down: it was told an error.
        (
            RequestRecord("r", status=200, error="ledger_unavailable", last=_row("ok")),
            ("failed", "ledger_unavailable"),
        ),
    ],
)
def test_how_it_ended(record: RequestRecord, ended: tuple[str, str | None]) -> None:
    assert _ended(record) == ended


def test_a_client_that_left_has_a_status_of_its_own() -> None:
    told = access_log.fields(RequestRecord("r", left=True), NOON_S, 0.0)
    assert told["status"] == 499


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_caller_can_write_a_second_line(path: str, name: str) -> None:
    with listening() as lines:
        access_log.write(RequestRecord("r", "GET", "/x" + path, tenant=name))
    text = lines.getvalue()
    assert text.endswith("\n")
    assert re.search(r"[\x00-\x1f]", text[:-1]) is None
    assert len(json.loads(text)["path"]) <= 65


@pytest.mark.parametrize("path", ["/", "/live", "/ready", "/health", "/docs", "/openapi.json"])
def test_probes_and_pages_have_no_line(path: str) -> None:
    with listening() as lines:
        access_log.write(RequestRecord("r", "GET", path, status=200))
    assert lines.getvalue() == ""


def test_where_nobody_listens_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "fields", None)
    access_log.write(RequestRecord("r", "POST", "/v1/chat/completions"))


def test_the_documentation_names_every_field() -> None:
    told = access_log.fields(RequestRecord("r"), NOON_S, 0.0)
    _, _, section = DOCS.read_text().partition("## The access log")
    section = section.partition("\n## ")[0]
    names = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert set(told) == set(re.findall(r"`(\w+)`", " ".join(names)))
