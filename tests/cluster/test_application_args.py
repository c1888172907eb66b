"""The application's args: what is refused, and how many targets a pool has."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cluster.application_args import AppArgs, PoolArgs
from runtime.config_problems import describe

POOL: dict[str, Any] = {"model": "m", "card": "h20"}
BOUNDS = {"replicas_min": 2, "replicas_max": 4, "prometheus": "http://prometheus:9090"}


def test_each_data_parallel_rank_is_a_target() -> None:
    assert PoolArgs(**POOL, replicas=3).targets == 3
    assert PoolArgs(**POOL, replicas=3, engine={"data_parallel": 8}).targets == 24


@pytest.mark.parametrize("ranks", ["two", None, 0, 1.5])
def test_ranks_that_cannot_be_counted_are_refused(ranks: Any) -> None:
    with pytest.raises(ValidationError, match="expected a whole number from 1 on"):
        PoolArgs(**POOL, engine={"data_parallel": ranks})


@pytest.mark.parametrize("replicas", [1, 5])
def test_a_pool_starts_within_its_bounds(replicas: int) -> None:
    with pytest.raises(ValidationError, match="expected a start between"):
        PoolArgs.model_validate(POOL | {"autoscaling": BOUNDS, "replicas": replicas})
    assert PoolArgs.model_validate(POOL | {"autoscaling": BOUNDS, "replicas": 2}).autoscaling


def test_only_replicas_without_cards_are_spread_by_number() -> None:
    with pytest.raises(ValidationError, match="card: cpu"):
        PoolArgs(**POOL, replicas_per_node_max=1)
    assert PoolArgs(model="m", card="cpu", replicas_per_node_max=1).replicas_per_node_max == 1


def _refused(args: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        AppArgs.model_validate(args)
    return describe(caught.value, AppArgs)


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        ({"card_usd_per_hour": "2,30"}, "card_usd_per_hour: write USD per hour in digits with a"),
        ({"card_usd_per_hour": "-2.30"}, "card_usd_per_hour: USD per hour must be between 0 and"),
        ({"card_usd_per_hour": "nan"}, "card_usd_per_hour: write USD per hour in digits"),
        ({"card_usd_per_hour": "1e9"}, "card_usd_per_hour: USD per hour must be between"),
        ({"card_usd_per_hour": 2.3}, "card_usd_per_hour: write USD per hour as a quoted string"),
        ({"checkpoint": "models/m"}, "checkpoint: expected an absolute path"),
        ({"replicas": 1_001}, "replicas: expected at most 1000, got 1001"),
        (
            {"autoscaling": BOUNDS | {"prometheus": "http://"}},
            "autoscaling.prometheus: expected http(s)://",
        ),
        ({"autoscaling": BOUNDS | {"replicas_min": 5}}, "autoscaling.replicas_min: is more than"),
        (
            {"autoscaling": BOUNDS, "replicas": 2, "card_usd_per_hour": "0"},
            "card_usd_per_hour: is 0: a pool that grows",
        ),
    ],
)
def test_values_of_a_pool_that_are_refused(pool: dict[str, Any], says: str) -> None:
    assert _refused({"pools": [POOL | pool]}).startswith(f"pools[0].{says.partition(':')[0]}")
    assert says in _refused({"pools": [POOL | pool]})


def test_a_model_has_one_pool() -> None:
    assert _refused({"pools": [POOL, POOL | {"model": "n"}, POOL]}).startswith(
        "pools[2].model: has a pool already, pools[0]"
    )


def test_a_second_scheduler_is_refused_until_it_would_be_right() -> None:
    assert AppArgs.model_validate({"pools": [POOL], "schedulers": 1}).schedulers == 1
    assert "schedulers: expected 1, got 2" in _refused({"pools": [POOL], "schedulers": 2})


@pytest.mark.parametrize("host", ["::1", "http://x", "a b", "x:80", ""])
def test_hosts_that_are_none(host: str) -> None:
    args = {"pools": [POOL], "engine_host": host, "stand_in": {"host": host, "port": 1}}
    assert "engine_host: expected" in _refused(args)
    assert "stand_in.host: expected" in _refused(args)


def test_money_is_shown_in_the_unit_of_its_name() -> None:
    pool = PoolArgs.model_validate(POOL | {"card_usd_per_hour": "1.5"})
    assert pool.card_usd_per_hour == 1_500_000_000
    assert pool.model_dump(mode="json")["card_usd_per_hour"] == "1.50"
