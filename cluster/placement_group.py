"""Where the cards of one replica lie: Serve deployment options from an engine's layout.

A node offers its cards to Ray twice: as ``GPU``, and by type as ``card:<id>``, so that a pool of
one card type never lands on another. Three shapes:

- Within a node the replica holds all cards in one bundle: vLLM's workers are its children, and
  Ray makes only the cards of the bundle visible to it.
- Over several nodes vLLM's Ray executor starts one actor per bundle of one card; vLLM refuses
  larger bundles. The replica shares the first, so that it stands beside the first rank.
- Data-parallel ranks over several nodes: vLLM takes the GPUs in placement groups of its own, so
  ours claims whole nodes by card type only, and the replica tells vLLM which nodes they are.
"""

from __future__ import annotations

from typing import Any

from runtime.engine.engine_settings import EngineSettings

CPU_CARD = "cpu"
CARD_RESOURCE = "card:"  # followed by the card's id


def card_resource(card: str) -> str:
    return CARD_RESOURCE + card.lower()


def placement(settings: EngineSettings, card: str) -> dict[str, Any]:
    """The arguments for ``Deployment.options``. Replicas on CPUs share a node without reserving any
    of it."""
    if card == CPU_CARD:
        return {"ray_actor_options": {"num_cpus": 0}}
    layout, own = settings.layout, card_resource(card)
    if layout.nodes == 1:
        cards = layout.cards
        return {
            "ray_actor_options": {"num_cpus": 1, "num_gpus": cards, "resources": {own: cards}},
            "placement_group_bundles": [{"CPU": 1, "GPU": cards, own: cards}],
            "placement_group_strategy": "STRICT_PACK",
        }
    if layout.dp == 1:
        bundles: list[dict[str, int]] = [{"GPU": 1, own: 1} for _ in range(layout.cards)]
        return {
            "ray_actor_options": {"num_cpus": 1},
            "placement_group_bundles": [{"CPU": 1, **bundles[0]}, *bundles[1:]],
            "placement_group_strategy": "PACK",
        }
    node = {own: settings.cards_per_node}
    return {
        "ray_actor_options": {"num_cpus": 1, "resources": node},
        "placement_group_bundles": [{"CPU": 1, **node}, *([node] * (layout.nodes - 1))],
        "placement_group_strategy": "STRICT_SPREAD",
    }
