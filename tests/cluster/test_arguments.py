"""The application's args: what is refused, and how many targets a pool has."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cluster.arguments import PoolArgs

POOL: dict[str, Any] = {"model": "m", "card": "h20"}
BOUNDS = {"replicas_min": 2, "replicas_max": 4, "prometheus": "http://prometheus:9090"}


def test_each_data_parallel_rank_is_a_target() -> None:
    assert PoolArgs(**POOL, replicas=3).targets == 3
    assert PoolArgs(**POOL, replicas=3, engine={"data_parallel": 8}).targets == 24


@pytest.mark.parametrize("ranks", ["two", None, 0, 1.5])
def test_ranks_that_cannot_be_counted_are_refused(ranks: Any) -> None:
    with pytest.raises(ValidationError, match="data_parallel must be a whole number"):
        PoolArgs(**POOL, engine={"data_parallel": ranks})


@pytest.mark.parametrize("replicas", [1, 5])
def test_a_pool_starts_within_its_bounds(replicas: int) -> None:
    with pytest.raises(ValidationError, match="must lie between"):
        PoolArgs.model_validate(POOL | {"autoscaling": BOUNDS, "replicas": replicas})
    assert PoolArgs.model_validate(POOL | {"autoscaling": BOUNDS, "replicas": 2}).autoscaling


def test_only_replicas_without_cards_are_spread_by_number() -> None:
    with pytest.raises(ValidationError, match="card: cpu"):
        PoolArgs(**POOL, replicas_per_node_max=1)
    assert PoolArgs(model="m", card="cpu", replicas_per_node_max=1).replicas_per_node_max == 1
