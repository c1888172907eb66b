"""``docs/metrics.md``: every Prometheus series that a Scheduler exports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from benchmarks.documents.markdown import paragraphs, table
from cluster.enum_comments import NoMeaning, commented
from cluster.reference.watch_list import WATCH
from runtime.config import METRICS_PORTS_TRIED
from runtime.gateway import OBSERVE_S
from runtime.observers.gateway_series import PrometheusMetrics
from runtime.observers.spans import ATTRIBUTES
from runtime.targets.connection_faults import Fault
from scheduler.decision import Outcome, Reason, Refusal
from scheduler.pool.circuit_breaker import BreakerState
from scheduler.pool.prefix_index import PrefixLimit
from scheduler.routing.sessions import SessionLimit
from scheduler.snapshot import Limit

LABELS = {
    "model": "the catalogue's id of the model",
    "place": "`local`: a replica here; `offer`: bought",
    "target": "`local:<replica>` or `offer:<provider>/<model>`",
    "reason": "why a request went where it went, or was refused: [below](#reason)",
    "outcome": "how an attempt ended: [below](#outcome)",
    "kind": "`prompt` or `completion`",
    "unit": "`requests` or `tokens`",
    "state": "of the target's breaker: "
    + ", ".join(f"`{each}`" for each in BreakerState if each is not BreakerState.CLOSED),
    "cause": "at `baseload_target_shut_seconds` the last [outcome](#outcome) that shut the target; "
    "at `baseload_connection_faults` what was in the way: [below](#cause)",
    "task": "a task of a rule, empty where it has none",
    "bound": "`mean`, or `lower` and `upper`: the true score is above the one, and below the "
    "other, with nine chances in ten",
    "rule": "the name of a rule",
    "refusal": "why a replica or an offer could not be chosen: [below](#refusal)",
    "limit": "the scheduler's bounds are [below](#limit); those of a tenant have its key "
    "(`tenants.in_flight_max`); all others are bounds of what requests "
    "may hold (runtime/request_limits.py), by name, or by the request's field that was beyond its "
    "bound",
}
# The first that is found in a name is the unit of the series.
_UNITS = (
    (r"usd_per_hour", "USD per hour"),
    (r"_usd", "USD"),
    (r"_seconds", "s"),
    (r"_tokens", "tokens"),
    (r"_ratio", "share of 1"),
    (r"_queue$", "requests or tokens"),
    (r"_config_refused$", "0 or 1"),
    (r"_attempts", "attempts"),
    (r"_results", "results"),
    (r"_demoted$", "tasks and languages"),
    (r"_demotions", "times"),
    (r"_answers", "answers"),
    (r"_rejected|_in_flight", "requests"),
    (r"_faults", "connections"),
    (r"_hits|_refusals", "times"),
)
_TABLES: tuple[tuple[str, tuple[type[StrEnum], ...]], ...] = (
    ("reason", (Reason,)),
    ("outcome", (Outcome,)),
    ("cause", (Fault,)),
    ("refusal", (Refusal,)),
    ("limit", (Limit, PrefixLimit, SessionLimit)),
)


@dataclass(frozen=True, slots=True)
class Series:
    """``name`` is as it is exported and queried."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def unit(self) -> str:
        for pattern, unit in _UNITS:
            if re.search(pattern, self.name):
                return unit
        raise NoMeaning(f"{self.name} has no unit: name it after one, or add what it counts")


def exported_series() -> list[Series]:
    """Those of a Scheduler that has just been made, by name."""
    return sorted(_series(PrometheusMetrics().registry), key=lambda each: each.name)


def page() -> str:
    found = exported_series()
    return paragraphs(
        "# Metrics",
        "A Scheduler exports these series for Prometheus at `http://<metrics_host>:<metrics_port>/"
        "metrics` ([config.md](config.md#user_configtelemetry); `baseload serve` says the port). "
        f"During an upgrade two Schedulers are up, and the second takes the next free of "
        f"{METRICS_PORTS_TRIED} ports: scrape the first two. vLLM's own series are not exported.",
        "## What to watch",
        *(each.text() for each in WATCH),
        "## All series",
        f"Gauges are renewed every {OBSERVE_S:g} s. Counters and histograms run from the start of "
        "the process, as do the gauges that say so; each counter has a series `…_created` beside "
        "it, and a histogram is exported as `…_bucket`, `…_sum` and `…_count`. Labels come from "
        "the configuration and from the code, never from a request, so their number is bounded.",
        table(("series", "type", "labels", "unit", "meaning"), map(_row, found), "l" * 5),
        "## Labels",
        table(("label", "values"), ((f"`{name}`", text) for name, text in LABELS.items()), "ll"),
        *(part for name, kinds in _TABLES for part in _values(name, kinds)),
        *_spans(),
    )


def _spans() -> Iterator[str]:
    yield "## Spans"
    yield (
        "Spans go where the tracer provider of the Scheduler's process sends them, which "
        "OpenTelemetry's own variables (`OTEL_…`) choose; without one there are none. Each attempt "
        "has a span, named after the operation and the model (`chat gpt-oss-120b`), and so has "
        "each request that is refused, named after the operation alone. A span begins when its "
        "request arrived, that of a second attempt when its target was chosen. Its parent is the "
        "caller's span (`traceparent`). Names of OpenTelemetry's GenAI conventions stand beside "
        "our own."
    )
    rows = ((f"`{name}`", meaning) for name, meaning in ATTRIBUTES.items())
    yield table(("attribute", "meaning"), rows, "ll")


def _series(registry: CollectorRegistry) -> Iterator[Series]:
    """Of collectors without a sample the registry tells no labels, so they are asked."""
    for collector in registry._collector_to_names:
        if not isinstance(collector, MetricWrapperBase):
            raise TypeError(f"{type(collector).__name__} is a collector that is not known here")
        for family in collector.describe():
            if not family.documentation:
                raise NoMeaning(f"{family.name} has no meaning: give it a documentation")
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = tuple(collector._labelnames)
            yield Series(name, family.type, labels, family.documentation)


def _row(series: Series) -> tuple[str, ...]:
    labels = ", ".join(f"`{each}`" for each in series.labels) or "–"
    return (f"`{series.name}`", series.kind, labels, series.unit, series.meaning)


def _values(name: str, kinds: tuple[type[StrEnum], ...]) -> Iterator[str]:
    rows = [(f"`{value}`", meaning) for kind in kinds for value, meaning in commented(kind).items()]
    yield f"### {name}"
    yield table(("value", "meaning"), rows, "ll")
