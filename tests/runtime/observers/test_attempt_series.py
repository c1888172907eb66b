from __future__ import annotations

from prometheus_client import CollectorRegistry

from runtime.observers.attempt_series import AttemptSeries
from scheduler.decision import Reason
from tests.runtime.ledger.samples import settle


def test_attempts_count_into_the_series_of_their_model_place_reason_and_outcome() -> None:
    registry = CollectorRegistry()
    series = AttemptSeries(registry)
    row = settle("r", prompt_tokens=9, completion_tokens=3, held_ms=20, ttft_ms=None)
    for place in ("local", "local", "offer"):
        series.note("m", place, Reason.LOCAL_FIT, "ok", row)
    series.note("m", "local", Reason.LOCAL_FIT, "target_failed", row)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"model": "m", "place": "local"} | labels)

    told = {"reason": Reason.LOCAL_FIT.value}
    assert value("baseload_attempts_total", **told, outcome="ok") == 2
    assert value("baseload_attempts_total", **told, outcome="target_failed") == 1
    assert value("baseload_attempts_total", **told, outcome="ok", place="offer") == 1
    assert value("baseload_tokens_total", kind="prompt") == 27
    assert value("baseload_tokens_total", kind="completion") == 9
    assert value("baseload_held_seconds_count") == 3
    assert value("baseload_ttft_seconds_count") == 0  # None is no time
