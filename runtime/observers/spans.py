"""OpenTelemetry spans: one for each attempt, and one for each request that is refused.

They follow the OpenTelemetry environment variables; without them they cost next to nothing. What
they say has the names of the GenAI semantic conventions, where those have one, beside our own.
Prompts, answers and keys are never in them.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    ProxyTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from runtime.clock import SYSTEM, Clock
from runtime.errors import BaseloadError
from runtime.ledger.rows import Settle
from runtime.observer import Observer, Sample
from runtime.request.job import Job
from runtime.request.request_record import RequestRecord
from runtime.request.trace_context import TraceContext
from runtime.wire.openai_dialect import COMPLETION
from scheduler.decision import Buy, Dispatch, Outcome
from scheduler.target import Target, TargetKind

OWN_ENGINE = "vllm"  # what the conventions call a provider, of a replica here
NO_ERROR = frozenset({Outcome.OK.value, Outcome.CLIENT_LEFT.value})

# What an attribute means, for docs/metrics.md. A span has no others.
ATTRIBUTES = {
    "request_id": "the id in `x-request-id`, the ledger and the access log",
    "client_request_id": "what the caller calls the request, if it does",
    "model_id": "the catalogue's id of the model; of a refused request what was asked for",
    "target": "`local:<replica>` or `offer:<provider>/<model>`; not of a refused request",
    "route_reason": "why it went there, or was refused: [reason](#reason)",
    "prompt_tokens": "as billed, 0 where nobody told them",
    "completion_tokens": "as billed, 0 where nobody told them",
    "cost_nano_usd": "what the attempt cost, in nano-USD",
    "outcome": "[outcome](#outcome) of the attempt, or `refused`",
    "gen_ai.operation.name": "`chat` or `text_completion`",
    "gen_ai.provider.name": f"the provider of an offer; `{OWN_ENGINE}` for a replica",
    "gen_ai.request.model": "as `model_id`",
    "gen_ai.request.stream": "whether the answer is streamed",
    "gen_ai.request.max_tokens": "tokens that one answer may have, if the caller names a limit",
    "gen_ai.request.choice.count": "answers that are asked for, where that is not one",
    "gen_ai.usage.input_tokens": "as billed; absent where nobody told them",
    "gen_ai.usage.output_tokens": "as billed; absent where nobody told them",
    "gen_ai.usage.cache_read.input_tokens": "of the prompt, what the target had in its cache",
    "http.response.status_code": "of a refused request: what its caller was told",
    "error.type": "the code of what went wrong; the span's status is an error, too",
}


class OpenTelemetrySpans(Observer):
    """A span starts when its request arrived, so that a wait for a target is in it; that of a
    second attempt when its target was chosen. The caller's span, where it names one, is the
    parent.

    Without a ``tracer`` of its own it has that of the process's tracer provider, which may be set
    up later: it is looked for with every sample, as the question costs more than the answer.
    """

    def __init__(self, clock: Clock = SYSTEM, tracer: Tracer | None = None) -> None:
        self._clock = clock
        self._tracer = tracer or trace.get_tracer("baseload")
        self._is_on = tracer is not None or _has_provider()

    def sampled(self, sample: Sample) -> None:
        self._is_on = self._is_on or _has_provider()

    def attempt_ended(self, job: Job, decision: Dispatch | Buy, row: Settle) -> None:
        if not self._is_on:
            return
        if row.attempt == 1:
            took_s = self._clock.monotonic_s() - job.record.arrived_s
        else:
            took_s = (row.e2e_ms - row.held_ms) / 1000
        end_ns = self._clock.unix_ms() * 1_000_000
        name = f"{_operation(job.record)} {job.model}"
        span = self._start(name, job.record, SpanKind.CLIENT, end_ns, took_s)
        if span.is_recording():
            _describe_request(span, job.record, job.model, job.streaming)
            _describe_attempt(span, job, decision, row)
        span.end(end_ns)

    def refused(self, record: RequestRecord, error: BaseloadError) -> None:
        if not self._is_on:
            return
        end_ns = self._clock.unix_ms() * 1_000_000
        took_s = self._clock.monotonic_s() - record.arrived_s
        name = _operation(record)  # without a model: it may be any text
        span = self._start(name, record, SpanKind.SERVER, end_ns, took_s)
        if span.is_recording():
            _describe_request(span, record, record.model, record.streamed)
            span.set_attribute("outcome", "refused")
            span.set_attribute("http.response.status_code", error.status)
            if error.reason is not None:
                span.set_attribute("route_reason", error.reason)
            _mark_failed(span, error.code)
        span.end(end_ns)

    def _start(
        self, name: str, record: RequestRecord, kind: SpanKind, end_ns: int, took_s: float
    ) -> Span:
        start_ns = end_ns - round(took_s * 1e9)
        return self._tracer.start_span(name, _parent(record.trace), kind, start_time=start_ns)


def _has_provider() -> bool:
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)


def _operation(record: RequestRecord) -> str:
    return "text_completion" if record.path.rstrip("/") == COMPLETION.route else "chat"


def _describe_request(
    span: Span, record: RequestRecord, model: str | None, is_streamed: bool | None
) -> None:
    """As far as it was read: of a refused request the model may not be known."""
    span.set_attribute("request_id", record.request_id)
    span.set_attribute("gen_ai.operation.name", _operation(record))
    if record.client_request_id is not None:
        span.set_attribute("client_request_id", record.client_request_id)
    if model is not None:
        span.set_attributes({"model_id": model, "gen_ai.request.model": model})
    if is_streamed is not None:
        span.set_attribute("gen_ai.request.stream", is_streamed)


def _describe_attempt(span: Span, job: Job, decision: Dispatch | Buy, row: Settle) -> None:
    outcome, _, detail = row.outcome.partition(": ")
    span.set_attributes(
        {
            "target": str(decision.target),
            "route_reason": decision.reason.value,
            "prompt_tokens": row.prompt_tokens or 0,
            "completion_tokens": row.completion_tokens or 0,
            "cost_nano_usd": row.cost_nano_usd,
            "outcome": outcome,
            "gen_ai.provider.name": _provider(decision.target),
        }
    )
    for name, count in (
        ("gen_ai.request.max_tokens", job.request.answer_tokens_max),
        ("gen_ai.request.choice.count", job.request.choices if job.request.choices > 1 else None),
        ("gen_ai.usage.input_tokens", row.prompt_tokens),
        ("gen_ai.usage.output_tokens", row.completion_tokens),
        ("gen_ai.usage.cache_read.input_tokens", row.cached_tokens),
    ):
        if count is not None:
            span.set_attribute(name, count)
    if outcome not in NO_ERROR:
        _mark_failed(span, detail or outcome)


def _mark_failed(span: Span, code: str) -> None:
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR))


def _provider(target: Target) -> str:
    return target.id.partition("/")[0] if target.kind is TargetKind.OFFER else OWN_ENGINE


def _parent(trace_context: TraceContext | None) -> Context | None:
    """The caller's span as ours has it for a parent; None lets the tracer decide."""
    if trace_context is None:
        return None
    context = SpanContext(
        int(trace_context.trace_id, 16),
        int(trace_context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(trace_context.flags),
    )
    return set_span_in_context(NonRecordingSpan(context))
