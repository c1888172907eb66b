"""The port of the metrics."""

from __future__ import annotations

import socket
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from runtime.observers.gateway_series import PrometheusMetrics
from runtime.observers.metrics_server import MetricsServer


def test_the_series_move_to_another_port_and_stay_where_that_is_taken() -> None:
    server = MetricsServer(PrometheusMetrics().registry)
    with socket.socket() as taken, socket.socket() as probe:
        for each in (taken, probe):
            each.bind(("127.0.0.1", 0))
        first, second = (each.getsockname()[1] for each in (probe, taken))
        taken.listen()
        probe.close()
        server.serve("127.0.0.1", first)
        with pytest.raises(OSError, match="in use"):
            server.serve("127.0.0.1", second)
        assert _scrape(first)
    server.serve("127.0.0.1", second)
    assert _scrape(second)
    with pytest.raises(URLError):
        _scrape(first)
    server.close()
    server.close()  # nothing is open


def _scrape(port: int) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return bytes(answer.read())
