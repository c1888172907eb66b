"""The span of an attempt, and that of a request that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from runtime.clock import Clock
from runtime.errors import InvalidApiKey, QueueFull
from runtime.observer import Sample
from runtime.observers.spans import ATTRIBUTES, OpenTelemetrySpans
from runtime.request.job import Job
from runtime.request.request_record import RequestRecord
from runtime.request.trace_context import TraceContext
from scheduler.decision import Buy, Dispatch, Reason
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler
from tests.runtime.jobs import made_job
from tests.runtime.ledger.samples import settle
from tests.runtime.parts import MODEL
from tests.runtime.wire.bodies import chat
from tests.scheduler.given import at_offer, local

LOCAL = Dispatch("r", local("r1"), Reason.LOCAL_FIT)
NOW_UNIX_MS = 1_750_000_000_000
SAMPLE = Sample(Scheduler(Settings()).snapshot(0.0), {}, {}, False, 0.0)
CALLER = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1)


class Told:
    """What an observer of spans has exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.now_s = 1_000.0
        clock = Clock(lambda: self.now_s, lambda: 0, lambda: NOW_UNIX_MS + int(self.now_s * 1_000))
        self.observer = OpenTelemetrySpans(clock, self.provider.get_tracer("test"))

    def end(self, decision: Dispatch | Buy = LOCAL, job: Job | None = None, **row: Any) -> Job:
        job = job or made_job(chat(model=MODEL, max_tokens=9))
        self.observer.attempt_ended(job, decision, settle(job.request_id, **row))
        return job

    def spans(self) -> list[ReadableSpan]:
        found = list(self._exporter.get_finished_spans())
        assert all(span.attributes is not None for span in found)
        assert {name for span in found for name in span.attributes or ()} <= ATTRIBUTES.keys()
        return found

    def span(self) -> tuple[ReadableSpan, dict[str, Any]]:
        (span,) = self.spans()
        return span, dict(span.attributes or {})


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    yield made
    made.provider.shutdown()


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_in_the_span(told: Told, reason: Reason) -> None:
    job = told.end(Buy("r", at_offer("v/m"), reason), cost_nano_usd=5)
    _, attributes = told.span()
    assert attributes["route_reason"] == reason.value
    assert (attributes["request_id"], attributes["cost_nano_usd"]) == (job.request_id, 5)
    assert (attributes["target"], attributes["gen_ai.provider.name"]) == ("offer:v/m", "v")


def test_a_span_has_the_names_of_the_conventions_beside_our_own(told: Told) -> None:
    told.end(prompt_tokens=7, cached_tokens=4, completion_tokens=3, outcome="ok")
    span, attributes = told.span()
    assert (span.name, span.kind) == (f"chat {MODEL}", SpanKind.CLIENT)
    assert attributes == {
        "request_id": "r",
        "model_id": MODEL,
        "target": "local:r1",
        "route_reason": "local_fit",
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "cost_nano_usd": attributes["cost_nano_usd"],
        "outcome": "ok",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.stream": False,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_what_nobody_told_is_absent_under_the_names_of_the_conventions(told: Told) -> None:
    told.end(prompt_tokens=None, cached_tokens=None, completion_tokens=None)
    _, attributes = told.span()
    assert (attributes["prompt_tokens"], attributes["completion_tokens"]) == (0, 0)
    assert not [name for name in attributes if name.startswith("gen_ai.usage")]


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("ok", None),
        ("client_left", None),
        ("target_failed", "target_failed"),
        ("target_failed: stream_stalled", "stream_stalled"),
    ],
)
def test_a_failed_attempt_says_what_failed(told: Told, outcome: str, error: str | None) -> None:
    told.end(outcome=outcome)
    span, attributes = told.span()
    assert attributes["outcome"] == outcome.partition(":")[0]
    assert attributes.get("error.type") == error
    assert (span.status.status_code is StatusCode.ERROR) is (error is not None)


def test_a_span_is_the_child_of_its_callers(told: Told) -> None:
    job = made_job(chat(model=MODEL))
    job.record.trace, job.record.client_request_id = CALLER, "mine"
    told.end(job=job)
    told.observer.refused(job.record, QueueFull())
    told.end()
    *children, alone = told.spans()
    assert len(children) == 2
    for child in children:
        assert child.parent is not None
        assert child.context is not None
        assert child.context.trace_id == int(CALLER.trace_id, 16)
        assert child.parent.span_id == int(CALLER.span_id, 16)
        assert child.parent.is_remote
        assert dict(child.attributes or {})["client_request_id"] == "mine"
    assert alone.parent is None


def test_a_span_lasts_from_the_requests_arrival_to_its_end(told: Told) -> None:
    job = made_job(chat(model=MODEL))
    job.record.arrived_s = told.now_s = 2_000.0
    for seconds, tell in (
        (0.25, lambda: told.end(job=job, held_ms=100, e2e_ms=250)),
        (0.5, lambda: told.end(job=job, attempt=2, held_ms=300, e2e_ms=750)),
        (1.0, lambda: told.observer.refused(job.record, QueueFull())),
    ):
        told.now_s += seconds
        tell()
    began_ms = NOW_UNIX_MS + 2_000_000
    assert [_times_ms(span, began_ms) for span in told.spans()] == [(0, 250), (300, 750), (0, 1750)]


def _times_ms(span: ReadableSpan, began_ms: int) -> tuple[float, float]:
    started, ended = (span.start_time or 0) / 1e6, (span.end_time or 0) / 1e6
    return round(started - began_ms, 3), round(ended - began_ms, 3)


def test_a_refused_request_says_what_its_caller_is_told(told: Told) -> None:
    record = RequestRecord("r", "POST", "/v1/completions", model="m", streamed=True)
    error = QueueFull()
    error.reason = Reason.SPILL_CAPPED.value
    told.observer.refused(record, error)
    span, attributes = told.span()
    assert (span.name, span.kind) == ("text_completion", SpanKind.SERVER)
    assert span.status.status_code is StatusCode.ERROR
    assert attributes == {
        "request_id": "r",
        "model_id": "m",
        "outcome": "refused",
        "route_reason": "spill_capped",
        "gen_ai.operation.name": "text_completion",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "http.response.status_code": 429,
        "error.type": QueueFull.code,
    }


def test_of_a_request_that_was_not_read_there_is_little_to_say(told: Told) -> None:
    told.observer.refused(RequestRecord("r", "POST", "/v1/chat/completions/"), InvalidApiKey())
    span, attributes = told.span()
    assert span.name == "chat"
    assert attributes.keys() == {
        "request_id",
        "outcome",
        "gen_ai.operation.name",
        "http.response.status_code",
        "error.type",
    }


def test_a_provider_may_be_set_up_later(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then nothing is described, and so next to nothing spent."""
    observer, job = OpenTelemetrySpans(), made_job(chat(model=MODEL))
    observer._tracer = told.provider.get_tracer("process")
    observer.attempt_ended(job, LOCAL, settle("r"))
    observer.refused(job.record, QueueFull())
    observer.sampled(SAMPLE)
    assert told.spans() == []
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: told.provider)
    observer.sampled(SAMPLE)
    observer.attempt_ended(job, LOCAL, settle("r"))
    observer.refused(job.record, QueueFull())
    assert len(told.spans()) == 2
    later = OpenTelemetrySpans()
    later._tracer = observer._tracer
    later.attempt_ended(job, LOCAL, settle("r"))
    assert len(told.spans()) == 3
