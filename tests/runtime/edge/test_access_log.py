"""A line says everything that is known of a request, in one line whatever a caller sends."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import Clock
from runtime.edge import access_log
from runtime.edge.access_log import FLUSH_S, AccessLog, fields, line
from runtime.ledger.rows import Ending, Settle
from runtime.request.request_record import RequestRecord
from runtime.request.trace_context import TraceContext
from runtime.request_limits import Limits, refusals
from tests.runtime.virtual_time import now_s, run_in_virtual_time

DOCS = Path(__file__).resolve().parents[3] / "docs" / "api.md"
NOON_MS = 1_893_499_200_250


def _row(outcome: str) -> Settle:
    return Settle("r", 1, 0, Ending.SETTLE, outcome, 7, 2, 3, 1_500, "target", "", 4, 50, 60)


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
        personal_data=["email"],
        status=200,
        target="local:m-1",
        reason="local_fit",
        attempts=2,
        cost_nano_usd=2_500,
        last=_row("ok"),
        ended_s=10.5,
        ended_unix_ms=NOON_MS,
    )
    assert fields(record) == {
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
        "personal_data": ["email"],
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
    told = fields(RequestRecord("req-1", "GET", "/x", status=404))
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
    told = fields(record)
    assert (told["outcome"], told["error"]) == ended


def test_a_client_that_left_has_a_status_of_its_own() -> None:
    told = fields(RequestRecord("r", left=True))
    assert told["status"] == 499


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_caller_can_write_a_second_line(path: str, name: str) -> None:
    text = line(RequestRecord("r", "GET", "/x" + path, tenant=name))
    assert text.endswith("\n")
    assert re.search(r"[\x00-\x1f]", text[:-1]) is None
    assert len(json.loads(text)["path"]) <= 65


@pytest.mark.parametrize("path", ["/", "/live", "/ready", "/health", "/docs", "/openapi.json"])
async def test_probes_and_pages_have_no_line(path: str) -> None:
    log = AccessLog(io.StringIO())
    log.add(RequestRecord("r", "GET", path, status=200))
    log.flush()
    assert _text(log) == ""


def test_lines_are_written_together_a_moment_later_in_order() -> None:
    async def written() -> None:
        log = AccessLog(io.StringIO())
        for number in range(3):
            log.add(RequestRecord(f"r{number}", "GET", "/x"))
            await asyncio.sleep(FLUSH_S / 4)
        assert _text(log) == ""
        await asyncio.sleep(FLUSH_S / 4)
        assert _text(log).count("\n") == 3
        assert now_s() == pytest.approx(FLUSH_S)
        told = [json.loads(each) for each in _text(log).splitlines()]
        assert [each["request_id"] for each in told] == ["r0", "r1", "r2"]
        log.add(RequestRecord("r3", "GET", "/x"))
        log.flush()
        assert _text(log).count("\n") == 4

    run_in_virtual_time(written())


async def test_the_times_of_a_line_are_those_of_the_given_clock() -> None:
    log = AccessLog(io.StringIO(), Clock(lambda: 10.5, lambda: 10_500_000_000, lambda: NOON_MS))
    log.add(RequestRecord("r", "GET", "/x", arrived_s=10.0))
    log.flush()
    told = json.loads(_text(log))
    assert (told["time"], told["e2e_ms"]) == ("2030-01-01T12:00:00.250+00:00", 500)


async def test_where_nobody_listens_nothing_is_kept() -> None:
    log = AccessLog()
    log.add(RequestRecord("r", "POST", "/x"))
    log.stream = io.StringIO()
    log.flush()
    assert _text(log) == ""


async def test_what_cannot_be_written_is_counted_and_breaks_nothing() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "no space")

    log = AccessLog(Full())
    before = refusals["log_lines_lost"]
    log.add(RequestRecord("r", "GET", "/x"))
    log.flush()
    assert refusals["log_lines_lost"] == before + 1


async def test_only_so_many_lines_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "LIMITS", Limits(log_lines_max=2))
    log = AccessLog(io.StringIO())
    before = refusals["log_lines_max"]
    for _ in range(5):
        log.add(RequestRecord("r", "GET", "/x"))
    log.flush()
    assert _text(log).count("\n") == 2
    assert refusals["log_lines_max"] == before + 3


def _text(log: AccessLog) -> str:
    assert isinstance(log.stream, io.StringIO)
    return log.stream.getvalue()


def test_the_documentation_names_every_field() -> None:
    told = fields(RequestRecord("r"))
    _, _, section = DOCS.read_text().partition("## The access log")
    section = section.partition("\n## ")[0]
    names = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert set(told) == set(re.findall(r"`(\w+)`", " ".join(names)))
