"""The bundles of a replica, and that Ray and Serve take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ray import serve

from cluster.placement_group import placement
from runtime.engine.engine_settings import CARDS_MAX, EngineSettings


def _settings(**fields: Any) -> EngineSettings:
    return EngineSettings(model="m", checkpoint=Path("/w"), **fields)


def _cards(options: dict[str, Any], resource: str = "card:h20") -> int:
    return sum(int(bundle.get(resource, 0)) for bundle in options["placement_group_bundles"])


def test_a_cpu_pool_reserves_nothing() -> None:
    assert placement(_settings(tensor_parallel=2), "cpu") == {"ray_actor_options": {"num_cpus": 0}}


def test_within_a_node_the_replica_holds_the_cards() -> None:
    options = placement(_settings(tensor_parallel=4, data_parallel=2), "H200")
    assert options == {
        "ray_actor_options": {"num_cpus": 1, "num_gpus": 8, "resources": {"card:h200": 8}},
        "placement_group_bundles": [{"CPU": 1, "GPU": 8, "card:h200": 8}],
        "placement_group_strategy": "STRICT_PACK",
    }


def test_over_nodes_each_card_is_a_bundle_and_the_replica_stands_at_the_first() -> None:
    options = placement(_settings(tensor_parallel=8, pipeline_parallel=2), "h20")
    assert options["ray_actor_options"] == {"num_cpus": 1}
    assert options["placement_group_strategy"] == "PACK"
    first, *others = options["placement_group_bundles"]
    assert first == {"CPU": 1, "GPU": 1, "card:h20": 1}
    assert others == [{"GPU": 1, "card:h20": 1}] * 15


def test_data_parallel_ranks_over_nodes_claim_whole_nodes_and_leave_the_gpus_to_vllm() -> None:
    options = placement(_settings(tensor_parallel=4, data_parallel=4), "h20")
    assert options["placement_group_strategy"] == "STRICT_SPREAD"
    assert options["placement_group_bundles"] == [{"CPU": 1, "card:h20": 8}, {"card:h20": 8}]
    assert options["ray_actor_options"] == {"num_cpus": 1, "resources": {"card:h20": 8}}


@given(
    tp=st.sampled_from([1, 2, 4, 8, 16]),
    pp=st.integers(1, 4),
    dp=st.integers(1, 16),
    cards_per_node=st.sampled_from([4, 8]),
)
def test_every_layout_gets_exactly_its_cards_and_serve_takes_it(
    tp: int, pp: int, dp: int, cards_per_node: int
) -> None:
    cards = tp * pp * dp
    fields = {
        "tensor_parallel": tp,
        "pipeline_parallel": pp,
        "data_parallel": dp,
        "cards_per_node": cards_per_node,
    }
    if cards > CARDS_MAX or (cards > cards_per_node and cards % cards_per_node):
        with pytest.raises(ValidationError, match=f"takes {cards} cards"):
            _settings(**fields)
        return
    options = placement(_settings(**fields), "h20")
    assert _cards(options) == cards
    gpus = [bundle["GPU"] for bundle in options["placement_group_bundles"] if "GPU" in bundle]
    assert sum(gpus) in (cards, 0)
    assert len(gpus) == 1 or max(gpus, default=1) == 1  # vLLM takes no larger bundle
    serve.deployment(_Nothing).options(**options)


class _Nothing:
    pass
