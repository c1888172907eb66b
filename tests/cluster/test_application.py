"""What `build` binds: Serve's own view of the deployments, without starting any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray.serve._private.build_app import build_app

from cluster.application import build
from cluster.state_folder import STATE_ENV
from runtime.errors import ConfigError

ENGINE = {"device": "cpu", "tensor_parallel": 2}
POOL = {"model": "tiny-moe", "card": "h20", "card_usd_per_hour": "1.50", "engine": ENGINE}
BOUNDS = {"replicas_min": 1, "replicas_max": 6, "prometheus": "http://prometheus:9090"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(STATE_ENV, str(tmp_path / "state"))
    return tmp_path / "state"


def deployments(**pool: Any) -> dict[str, Any]:
    app = build({"pools": [POOL | pool]})
    return {each.name: each for each in build_app(app, name="baseload").deployments}


def test_replicas_on_cards_reserve_them() -> None:
    found = deployments(replicas=3)
    assert found.keys() == {"Configuration", "Directory", "Engine-tiny-moe", "Scheduler"}
    engine = found["Engine-tiny-moe"]
    assert engine.num_replicas == 3
    assert engine._replica_config.placement_group_bundles == [{"CPU": 1, "GPU": 2, "card:h20": 2}]
    assert engine._replica_config.placement_group_strategy == "STRICT_PACK"


def test_replicas_on_cpus_can_be_spread_by_number() -> None:
    engine = deployments(card="cpu", replicas=2, replicas_per_node_max=1)["Engine-tiny-moe"]
    assert engine._replica_config.max_replicas_per_node == 1
    assert engine._replica_config.placement_group_bundles is None


def test_a_pool_that_scales_is_told_the_price_of_a_whole_replica() -> None:
    engine = deployments(replicas=2, autoscaling=BOUNDS)["Engine-tiny-moe"]
    scaling = engine._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.initial_replicas, scaling.max_replicas) == (1, 2, 6)
    assert scaling.policy.policy_kwargs["replica_usd_per_hour"] == 3.0


def test_an_upgrade_never_leaves_callers_without_a_scheduler() -> None:
    found = deployments()
    assert found["Scheduler"]._deployment_config.max_surge_percent == 100
    assert found["Directory"]._deployment_config.max_surge_percent == 0


def test_a_layout_that_no_node_holds_is_refused() -> None:
    with pytest.raises(ConfigError, match="must fill its nodes"):
        deployments(engine={"tensor_parallel": 12})
