"""docs/models.md: the models, the cards, which cards hold what, and what a node should make.

All of it is computed from models/data; predictions carry the planner's band.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.documents.markdown import short_count
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from models.cards import Card, load_cards
from models.catalogue import Model, load_catalogue
from models.data_file import Source
from models.layout import CARDS_PER_NODE, Layout
from models.money import NANO_PER_USD
from models.planner import CARD_COUNTS, MEMORY_UTILIZATION, Objective, plan
from models.shape import Shape
from models.sizing.kv_cache import default_kv_dtype, kv_bytes_per_token_per_card
from models.sizing.layout_search import layouts
from models.sizing.memory import GIB, fit
from models.sizing.weights import weights
from models.speed.calibration import load_calibration

OBJECTIVE = Objective(input_tokens=4_000, output_tokens=1_000, ttft_ms=2_000, tpot_ms=50)
ESTIMATED = "≈"


def sections() -> list[Section]:
    models = load_catalogue().models
    cards = [card for card in load_cards().values() if card.memory_gib is not None]
    return [
        section_of("model_list", models=[_sized(model) for model in models]),
        section_of(
            "cards", cards=cards, mark=_mark, estimated=ESTIMATED, nano_per_usd=NANO_PER_USD
        ),
        section_of("card_fit", models=models, cards=cards, fewest=_fewest),
        _node_speed(models, cards),
    ]


def _sized(model: Model) -> tuple[Any, ...]:
    """The model with its weights, in GiB, and its KV bytes per token, with their type."""
    shape = model.shape()
    dtype = default_kv_dtype(shape)
    kv_bytes = kv_bytes_per_token_per_card(shape, Layout(tp=1), dtype)
    return model, weights(shape).total / GIB, kv_bytes, dtype


def _fewest(shape: Shape, card: Card) -> str:
    for card_count in CARD_COUNTS:
        legal = [each.layout for each in layouts(shape, card_count) if each.why_not is None]
        for layout in sorted(legal, key=_plainness):
            memory = fit(shape, layout, card, memory_utilization=MEMORY_UTILIZATION)
            if memory.fits:
                return f"{card_count} ({layout}; {short_count(memory.kv_tokens)})"
    return f"not on {CARD_COUNTS[-1]}"


def _plainness(layout: Layout) -> tuple[bool, int, int, int, bool]:
    """The plainest first: in few parts, each within a node."""
    spans = layout.tp > layout.cards_per_node
    return spans, layout.dp, layout.pp, layout.dcp, layout.expert_parallel


def _node_speed(models: Sequence[Model], cards: Sequence[Card]) -> Section:
    tokens = OBJECTIVE.input_tokens + OBJECTIVE.output_tokens
    long_enough = [model for model in models if model.context_tokens_max >= tokens]
    return section_of(
        "node_speed",
        asked=OBJECTIVE,
        cards=cards,
        cards_per_node=CARDS_PER_NODE,
        calibration=load_calibration(),
        chosen=[
            (model, [plan(model.shape(), card, CARDS_PER_NODE, OBJECTIVE).chosen for card in cards])
            for model in long_enough
        ],
        left_out=[f"`{model.model_id}`" for model in models if model not in long_enough],
    )


def _mark(source: Source) -> str:
    return ESTIMATED if source.mark == "estimated" else ""
