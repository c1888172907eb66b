"""docs/models.md: the models, the cards, which cards hold what, and what a node should make.

All of it is computed from models/data; predictions carry the planner's band.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from benchmarks.documents.markdown import NONE, paragraphs, plain, table
from benchmarks.documents.section import Section
from models.cards import Card, load_cards
from models.catalogue import Model, load_catalogue
from models.data_file import Source
from models.layout import CARDS_PER_NODE, Layout
from models.money import NANO_PER_USD
from models.planner import CARD_COUNTS, MEMORY_UTILIZATION, LayoutPlan, Objective, plan
from models.shape import Shape
from models.sizing.kv_cache import default_kv_dtype, kv_bytes_per_token_per_card
from models.sizing.layout_search import layouts
from models.sizing.memory import GIB, fit
from models.sizing.weights import weights
from models.speed.calibration import load_calibration

OBJECTIVE = Objective(input_tokens=4_000, output_tokens=1_000, ttft_ms=2_000, tpot_ms=50)
ESTIMATED = "≈"


def page(parts: Sequence[Section]) -> str:
    lead = (
        "`make docs` writes this page from [models/data](../models/data), where each figure has "
        "its source and date; `baseload plan MODEL --card H200 --cards 8` answers for one model in "
        "full, with engine arguments."
    )
    return paragraphs("# Models and cards", lead, *(part.text() for part in parts))


def sections() -> list[Section]:
    models = load_catalogue().models
    cards = [card for card in load_cards().values() if card.memory_gib is not None]
    return [_models(models), _cards(cards), _holding(models, cards), _making(models, cards)]


def _models(models: Sequence[Model]) -> Section:
    heads = (
        *("model", "architecture", "parameters", "active", "weights, GiB", "formats", "context"),
        *("KV bytes per token", "tools", "reasoning", "licence"),
    )
    rows = []
    for model in models:
        shape = model.shape()
        rows.append(
            [
                f"`{model.model_id}`",
                model.architecture,
                _count(model.total_params),
                _count(model.active_params),
                f"{weights(shape).total / GIB:,.1f}" if weights(shape).total > GIB else "< 1",
                ", ".join(model.weight_dtypes),
                f"{model.context_tokens_max:,}",
                f"{kv_bytes_per_token_per_card(shape, Layout(tp=1), default_kv_dtype(shape)):,}"
                f" {default_kv_dtype(shape)}",
                plain(model.tool_parser or NONE),
                plain(model.reasoning_parser or NONE),
                plain(model.licence),
            ]
        )
    body = paragraphs(
        "Parameters are of the text model, without draft and vision layers. KV bytes are what each "
        "further token takes with all heads on one card; windows and fixed states are beside them. "
        "Tools and reasoning name vLLM's parser.",
        table(heads, rows, "llrrrlrr" + "lll"),
    )
    return Section("Catalogue", body)


def _cards(cards: Sequence[Card]) -> Section:
    rows = [
        [
            card.name,
            *(
                _figure(card, name, digits)
                for name, digits in (
                    ("memory_gib", 1),
                    ("memory_bandwidth_gb_s", 0),
                    ("bf16_dense_tflops", 0),
                    ("fp8_dense_tflops", 0),
                    ("nvlink_gb_s", 0),
                    ("network_gb_s", 0),
                    ("power_w", 0),
                )
            ),
            *_price(card),
        ]
        for card in cards
    ]
    heads = (
        *("card", "usable GiB", "GB/s", "BF16 TFLOPS", "FP8 TFLOPS", "NVLink GB/s"),
        *("network GB/s", "W", "USD per hour", "band", "as of"),
    )
    body = paragraphs(
        f"Throughput is dense. {ESTIMATED} marks what is second-hand or taken over from a card "
        "alike.",
        table(heads, rows),
    )
    return Section("Cards", body)


def _holding(models: Sequence[Model], cards: Sequence[Card]) -> Section:
    rows = [
        [f"`{model.model_id}`", *(_fewest(model.shape(), card) for card in cards)]
        for model in models
    ]
    body = paragraphs(
        "The fewest cards that hold a model in a layout that vLLM takes; the plainest such layout, "
        "and the tokens that its KV cache has room for.",
        table(("model", *(card.name for card in cards)), rows, "l" * (1 + len(cards))),
    )
    return Section("Which cards hold what", body)


def _fewest(shape: Shape, card: Card) -> str:
    for count in CARD_COUNTS:
        legal = [each.layout for each in layouts(shape, count) if each.why_not is None]
        for layout in sorted(legal, key=_plainness):
            memory = fit(shape, layout, card, memory_utilization=MEMORY_UTILIZATION)
            if memory.fits:
                return f"{count} ({layout}; {_count(memory.kv_tokens)})"
    return f"not on {CARD_COUNTS[-1]}"


def _plainness(layout: Layout) -> tuple[bool, int, int, int, bool]:
    """The plainest first: in few parts, each within a node."""
    spans = layout.tp > layout.cards_per_node
    return spans, layout.dp, layout.pp, layout.dcp, layout.expert_parallel


def _making(models: Sequence[Model], cards: Sequence[Card]) -> Section:
    asked = OBJECTIVE
    tokens = asked.input_tokens + asked.output_tokens
    long_enough = [model for model in models if model.context_tokens_max >= tokens]
    left_out = [f"`{model.model_id}`" for model in models if model not in long_enough]
    rows = []
    for model in long_enough:
        found = [plan(model.shape(), card, CARDS_PER_NODE, asked) for card in cards]
        rows.append([f"`{model.model_id}`", *(_made(each.chosen) for each in found)])
    calibration = load_calibration()
    body = paragraphs(
        f"Predicted output tokens per second and card of a node of {CARDS_PER_NODE}, and USD per M "
        f"output with its input, at {asked.input_tokens:,} tokens in and {asked.output_tokens:,} "
        f"out, a first token within {asked.ttft_ms:,.0f} ms and {asked.tpot_ms:g} ms per token, in "
        f"the cheapest layout. The times per token are within ±{calibration.tpot_band_pct:.0f} % "
        "of what was measured on H100 and H200 for models that were not in the fit; other cards "
        "are arithmetic from their figures. `no`: it does not fit, or not one request keeps the "
        "objective; `baseload plan` says which, and what would.",
        table(("model", *(card.name for card in cards)), rows),
        f"Left out, their context is shorter: {', '.join(left_out)}." if left_out else "",
    )
    return Section("What a node makes", body)


def _made(chosen: LayoutPlan | None) -> str:
    if chosen is None:
        return "no"
    cost = chosen.usd_per_mtok_out
    price = "no price" if cost is None else f"${cost:.2f}"
    return f"{chosen.out_tok_s_per_card:,.0f}, {price}"


def _count(number: int) -> str:
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _figure(card: Card, name: str, digits: int) -> str:
    value: float | None = getattr(card, name)
    return NONE if value is None else f"{_mark(card.sources[name])}{value:,.{digits}f}"


def _price(card: Card) -> tuple[str, str, str]:
    """Typical, from the lowest to the highest, and the day."""
    typical, low, high = (
        None if nano is None else f"{nano / NANO_PER_USD:.2f}"
        for nano in (
            card.nano_usd_per_hour,
            card.nano_usd_per_hour_low,
            card.nano_usd_per_hour_high,
        )
    )
    if typical is None:
        return NONE, NONE, NONE
    source = card.sources["nano_usd_per_hour"]
    day: date = source.as_of
    return f"{_mark(source)}{typical}", NONE if low is None else f"{low} to {high}", f"{day}"


def _mark(source: Source) -> str:
    return ESTIMATED if source.mark == "estimated" else ""
