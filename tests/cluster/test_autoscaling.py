"""When a replica is added or taken away, asked of a Prometheus that answers what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ray.serve.config import AutoscalingConfig

from cluster.application_args import AutoscalingArgs
from cluster.autoscaling import (
    SpillPolicy,
    autoscaling_config,
    occupancy_query,
    spill_query,
    wanted_replicas,
)
from tests.runtime.parts import until

ANSWER_S_MAX = 5.0
ARGS = AutoscalingArgs(replicas_min=1, replicas_max=4, prometheus="http://127.0.0.1:9090")


@pytest.mark.parametrize(
    ("spill", "occupancy", "wanted"),
    [
        (2.0, 0.9, 5),  # as dear as one more
        (1.99, 0.9, 4),
        (0.0, 0.53, 4),  # three would carry more than 0.7 each
        (0.0, 0.52, 3),
        (0.0, 0.0, 3),  # one at a time
        (None, 0.0, 4),
        (0.0, None, 4),
        (2.0, None, 5),
    ],
)
def test_the_rule(spill: float | None, occupancy: float | None, wanted: int) -> None:
    assert wanted_replicas(4, spill, occupancy, 2.0, 0.7) == wanted


@given(
    replicas=st.integers(1, 100),
    spill=st.floats(0, 100),
    occupancy=st.floats(0, 1),
    price=st.floats(0.1, 50),
)
def test_one_step_at_a_time_and_never_into_overload(
    replicas: int, spill: float, occupancy: float, price: float
) -> None:
    wanted = wanted_replicas(replicas, spill, occupancy, price, 0.7)
    assert abs(wanted - replicas) <= 1
    if wanted < replicas:
        assert occupancy * replicas <= 0.7 * wanted + 1e-9
        assert spill < price


@pytest.mark.parametrize(
    "wrong",
    [{"replicas_min": 0}, {"prometheus": "localhost"}, {"occupancy_max": 0}, {"colour": "red"}],
)
def test_arguments_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AutoscalingArgs.model_validate(ARGS.model_dump() | wrong)


def test_the_series_are_those_that_schedulers_publish() -> None:
    from runtime.observers.gateway_series import PrometheusMetrics

    published = {metric.name for metric in PrometheusMetrics().registry.collect()}
    assert {"baseload_cost_usd", "baseload_occupancy_ratio"} <= published
    assert "baseload_cost_usd_total" in spill_query("m")
    assert "baseload_occupancy_ratio" in occupancy_query("m")


@pytest.fixture
def prometheus() -> Iterator[SimpleNamespace]:
    """``answers`` by query; it answers while ``answering`` is set."""
    answers: dict[str, float] = {}
    answering = Event()
    answering.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answering.wait(ANSWER_S_MAX)
            query = parse_qs(urlsplit(self.path).query)["query"][0]
            result = [{"metric": {}, "value": [0, str(answers[query])]}] if query in answers else []
            body = {"status": "success", "data": {"resultType": "vector", "result": result}}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield SimpleNamespace(url=url, answers=answers, answering=answering)
    answering.set()
    server.shutdown()
    thread.join()
    server.server_close()


async def test_serve_builds_the_policy_and_it_asks_prometheus(prometheus: SimpleNamespace) -> None:
    args = ARGS.model_copy(update={"prometheus": prometheus.url})
    config = AutoscalingConfig.model_validate(autoscaling_config(args, "m", 2, 3.0))
    assert (config.min_replicas, config.initial_replicas, config.max_replicas) == (1, 2, 4)
    prometheus.answers |= {spill_query("m"): 3.5, occupancy_query("m"): 0.9}
    prometheus.answering.clear()
    policy = SpillPolicy(**config.policy.policy_kwargs)
    context: Any = SimpleNamespace(target_num_replicas=2)
    assert policy(context) == (2, {})  # nothing is known yet
    prometheus.answering.set()
    await until(lambda: policy(context) == (3, {}))


async def test_a_pool_that_never_bought_may_shrink(prometheus: SimpleNamespace) -> None:
    prometheus.answers[occupancy_query("m")] = 0.1
    policy = SpillPolicy(
        model="m",
        replica_usd_per_hour=3.0,
        occupancy_max=0.7,
        prometheus_address=prometheus.url,
    )
    context: Any = SimpleNamespace(target_num_replicas=2)
    await until(lambda: policy(context) == (1, {}))
