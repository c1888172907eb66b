"""A second Scheduler ends with the reason; the first, and one that replaces another, do not."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import serve

from cluster import refuse_second_scheduler
from cluster.replica_directory import Directory
from runtime.start_failed import StartFailed
from tests.cluster.test_scheduler_deployment import scheduler


@pytest.fixture
def replica(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this process the replica of such a rank, with such a deployment."""

    def be(rank: int, num_replicas: int | None = 1, most: int | None = None) -> None:
        scaling = None if most is None else SimpleNamespace(max_replicas=most)
        config = SimpleNamespace(num_replicas=num_replicas, autoscaling_config=scaling)
        context = SimpleNamespace(rank=SimpleNamespace(rank=rank), _deployment_config=config)
        monkeypatch.setattr(serve, "get_replica_context", lambda: context)

    return be


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"num_replicas": 2}, "num_replicas: 2"),
        ({"most": 3}, "autoscaling_config with max_replicas: 3"),
        ({"num_replicas": None, "most": 2}, "max_replicas: 2"),
    ],
)
def test_a_second_one_ends_with_the_reason(
    tmp_path: Path, replica: Any, told: dict[str, Any], says: str
) -> None:
    replica(1, **told)
    with pytest.raises(StartFailed, match=says):
        scheduler(tmp_path, Directory())


def test_the_first_one_serves_on_and_says_so(
    replica: Any, caplog: pytest.LogCaptureFixture
) -> None:
    replica(0, num_replicas=2)
    with caplog.at_level(logging.WARNING):
        refuse_second_scheduler.refuse_second()
    assert "stays the only one: num_replicas: 2" in caplog.text


@pytest.mark.parametrize("told", [{"num_replicas": 1}, {"most": 1}])
def test_one_that_takes_anothers_place_starts_beside_it(
    tmp_path: Path, replica: Any, told: dict[str, Any]
) -> None:
    replica(1, **told)
    assert scheduler(tmp_path, Directory())
