"""``docs/metrics.md`` has every series of the registry, and says what each label may be."""

from __future__ import annotations

import re

import pytest
from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector

from cluster.enum_comments import NoMeaning
from cluster.reference import metrics_page
from cluster.reference.metrics_page import LABELS, Series, exported_series, page
from runtime.observers.gateway_series import PrometheusMetrics
from runtime.observers.spans import ATTRIBUTES
from scheduler.decision import Reason, Reject
from tests.scheduler.given import arrival

SERIES = exported_series()


def test_every_series_of_the_registry_is_on_the_page() -> None:
    families = {family.name: family for family in PrometheusMetrics().registry.collect()}
    names = {name + ("_total" if f.type == "counter" else "") for name, f in families.items()}
    rows = re.findall(r"^\| `(baseload_\w+)` \| (\w+) \|", page(), re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(names)
    assert dict(rows) == {each.name: each.kind for each in SERIES}


def test_labels_are_those_that_samples_have() -> None:
    metrics = PrometheusMetrics()
    metrics._faults.labels("offer:v/m", "timeout").set(1)
    metrics.decided(arrival(model="m"), Reject("r", Reason.QUEUE_FULL, None))
    told = {each.name: set(each.labels) for each in SERIES}
    seen = {
        sample.name: set(sample.labels)
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name in told
    }
    assert len(seen) > 3
    assert seen == {name: told[name] for name in seen}


def test_every_label_says_what_it_may_be() -> None:
    assert {label for each in SERIES for label in each.labels} == LABELS.keys()


@pytest.mark.parametrize("series", SERIES, ids=lambda each: each.name)
def test_a_series_has_a_meaning_and_a_unit(series: Series) -> None:
    assert len(series.meaning) > 15
    assert series.unit


def test_a_series_without_a_meaning_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = PrometheusMetrics()
    Gauge("baseload_mute", "", registry=metrics.registry)
    monkeypatch.setattr(metrics_page, "PrometheusMetrics", lambda: metrics)
    with pytest.raises(NoMeaning, match="baseload_mute has no meaning"):
        page()


def test_a_series_without_a_unit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = PrometheusMetrics()
    Counter("baseload_odd", "Something odd", registry=metrics.registry)
    monkeypatch.setattr(metrics_page, "PrometheusMetrics", lambda: metrics)
    with pytest.raises(NoMeaning, match="baseload_odd_total has no unit"):
        page()


def test_a_collector_that_is_no_metric_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Foreign(Collector):
        def collect(self) -> list[object]:  # type: ignore[override]
            return []

    metrics = PrometheusMetrics()
    metrics.registry.register(Foreign())
    monkeypatch.setattr(metrics_page, "PrometheusMetrics", lambda: metrics)
    with pytest.raises(TypeError, match="Foreign"):
        exported_series()


def test_every_attribute_of_a_span_is_on_the_page() -> None:
    told = dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", page().partition("## Spans")[2], re.M))
    assert told == ATTRIBUTES
