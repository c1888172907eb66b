"""The Prometheus series of what was learned of models. Rules, models and tasks are from the
configuration: bounded. Languages, which callers may say, are told by ``/v1/config``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from runtime.routing.demotions import QualitySeen


class QualitySeries:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._score = Gauge(
            "baseload_quality_ratio",
            "Quality of a model at a task of a rule, over all languages: mean and its bounds",
            ("model", "task", "bound"),
            registry=registry,
        )
        self._results = Gauge(
            "baseload_quality_results",
            "Results that this quality rests on, each as far as it has not faded",
            ("model", "task"),
            registry=registry,
        )
        self._demoted = Gauge(
            "baseload_demoted",
            "Tasks and languages in which a rule leaves a model out for its results",
            ("rule", "model"),
            registry=registry,
        )
        self._demotions = Gauge(
            "baseload_demotions",
            "Times that results took a model below the floor of a rule, since the start",
            ("rule", "model"),
            registry=registry,
        )
        self._shown: QualitySeen | None = None

    def show(self, seen: QualitySeen) -> None:
        if seen is self._shown:
            return
        self._shown = seen
        for gauge in (self._score, self._results, self._demoted):
            gauge.clear()
        for each in seen.standings:
            demoted = self._demoted.labels(each.rule, each.model)
            if each.is_demoted:
                demoted.inc()
            if each.language is None:
                quality = each.quality
                self._results.labels(each.model, each.task).set(quality.observations)
                for bound in ("mean", "lower", "upper"):
                    score = self._score.labels(each.model, each.task, bound)
                    score.set(getattr(quality, bound))
        for (rule, model), times in seen.demotions.items():
            self._demotions.labels(rule, model).set(times)
