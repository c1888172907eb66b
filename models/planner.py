"""How a model should run on given cards: which layout fits, how fast it is, and what a token costs.

The cards are divided into equal replicas of one layout. Of the layouts that hold the model and keep
the objectives, the cheapest per output token is chosen; every other one says why it is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from models.cards import Card
from models.layout import CARDS_PER_NODE, Layout
from models.money import NANO_PER_USD
from models.shape import Shape
from models.sizing.kv_cache import KvDtype, default_kv_dtype
from models.sizing.layout_search import (
    NEEDS_FP8_CACHE,
    NODES_MAX,
    Candidate,
    layouts,
    needs_fp8_cache,
)
from models.sizing.memory import Fit, fit, requests_held
from models.speed.performance import Load, Speed, is_tested, predict

# What equal replicas are made of: parts of a node, or whole nodes.
CARD_COUNTS = (1, 2, 4, *range(CARDS_PER_NODE, NODES_MAX * CARDS_PER_NODE + 1, CARDS_PER_NODE))
RUNNING_MAX_PER_RANK = 256  # the engine's limit on requests in a batch that a plan assumes
# Tokens of a step. Windows are held for a whole step's worth, so where not one request would be
# admitted a smaller step is tried.
BATCHED_TOKENS = (8_192, 4_096, 2_048)
MEMORY_UTILIZATION = 0.92
SECONDS_PER_HOUR = 3_600
UNTESTED = "its speed is from arithmetic alone, at the slow end of the band"


class BadPlan(ValueError):
    """A question that has no plan; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What is asked of a replica. Limits of None are not asked for; without a queue, at the load
    at which the answer is given."""

    input_tokens: int
    output_tokens: int
    ttft_ms: float | None = None
    tpot_ms: float | None = None

    def __post_init__(self) -> None:
        for name in ("input_tokens", "output_tokens", "ttft_ms", "tpot_ms"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise BadPlan(f"{name} must be above 0, not {value}")

    def load(self, concurrency: int) -> Load:
        return Load(self.input_tokens, self.output_tokens, concurrency)

    def is_met(self, speed: Speed) -> bool:
        return not (
            (self.ttft_ms is not None and speed.ttft_ms > self.ttft_ms)
            or (self.tpot_ms is not None and speed.tpot_ms > self.tpot_ms)
        )


@dataclass(frozen=True, slots=True)
class LayoutPlan:
    """One layout on the cards at hand. ``concurrency`` is of one replica; the speed is at it."""

    layout: Layout
    replicas: int
    fit: Fit | None = None
    speed: Speed | None = None
    concurrency: int = 0
    usd_per_mtok_out: float | None = None
    why_not: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it was weighed and holds the model; what was asked it may yet miss."""
        return self.fit is not None and self.fit.fits

    @property
    def out_tok_s_per_card(self) -> float:
        return 0.0 if self.speed is None else self.speed.out_tok_s_per_card

    @property
    def weights_bytes(self) -> float:
        return math.inf if self.fit is None else self.fit.weights_bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """``layouts`` from the best to the worst, the refused ones last. ``would_fit`` names what
    would hold the model when nothing here does."""

    card: Card
    cards: int
    objective: Objective
    kv_dtype: KvDtype
    layouts: tuple[LayoutPlan, ...]
    would_fit: tuple[str, ...] = ()

    @property
    def working(self) -> tuple[LayoutPlan, ...]:
        return tuple(each for each in self.layouts if each.why_not is None)

    @property
    def refused(self) -> tuple[LayoutPlan, ...]:
        return tuple(each for each in self.layouts if each.why_not is not None)

    @property
    def chosen(self) -> LayoutPlan | None:
        return next(iter(self.working), None)


def plan(
    shape: Shape,
    card: Card,
    cards: int,
    objective: Objective,
    *,
    kv_dtype: KvDtype | None = None,
    running_max: int = RUNNING_MAX_PER_RANK,
    other_cards: Sequence[Card] = (),
) -> Plan:
    """``running_max`` is of one data-parallel rank; ``other_cards`` are named when nothing fits.

    Raises BadPlan for a number of cards that no equal replicas can be made of.
    """
    sizes = replica_sizes(cards)
    if card.memory_gib is None:
        raise BadPlan(f"the memory of card {card.card_id} depends on its host: plan for a GPU")
    if objective.input_tokens + objective.output_tokens > shape.context_tokens_max:
        raise BadPlan(
            f"{objective.input_tokens} tokens in and {objective.output_tokens} out are beyond the "
            f"model's context of {shape.context_tokens_max}"
        )
    sizing = _Sizing(shape, card, objective, kv_dtype or default_kv_dtype(shape), running_max)
    found = [sizing.weigh(candidate, cards) for size in sizes for candidate in layouts(shape, size)]
    found.sort(key=_rank)
    fitting = any(each.fits for each in found)
    would_fit = () if fitting else tuple(_would_fit(sizing, cards, other_cards))
    return Plan(card, cards, objective, sizing.kv_dtype, tuple(found), would_fit)


def curve(shape: Shape, plan: Plan, found: LayoutPlan) -> list[tuple[int, Speed]]:
    """Concurrency and speed of a layout that works, from one request up to its plan's."""
    doubled = [1 << power for power in range(found.concurrency.bit_length())]

    def speed(concurrency: int) -> Speed:
        load = plan.objective.load(concurrency)
        return predict(shape, found.layout, plan.card, load, kv_dtype=plan.kv_dtype)

    return [(each, speed(each)) for each in sorted({*doubled, found.concurrency})]


def replica_sizes(cards: int) -> tuple[int, ...]:
    """Cards per replica that ``cards`` can be divided into; raises BadPlan."""
    if cards not in CARD_COUNTS:
        near = sorted(sorted(CARD_COUNTS, key=lambda count: abs(count - cards))[:2])
        raise BadPlan(
            f"{cards} cards do not make equal replicas: take 1, 2, 4 or 8 cards of a node, or up "
            f"to {NODES_MAX} whole nodes of {CARDS_PER_NODE}; the nearest are {near[0]} and "
            f"{near[1]}"
        )
    return tuple(size for size in CARD_COUNTS if cards % size == 0)


def usd_per_mtok(card: Card, tok_s_per_card: float) -> float | None:
    """What a million tokens cost at that rate; None where the card has no price."""
    if card.nano_usd_per_hour is None:
        return None
    return card.nano_usd_per_hour / NANO_PER_USD / (tok_s_per_card * SECONDS_PER_HOUR) * 1e6


@dataclass(frozen=True, slots=True)
class _Sizing:
    """The question, without the number of cards."""

    shape: Shape
    card: Card
    objective: Objective
    kv_dtype: KvDtype
    running_max: int

    def weigh(self, candidate: Candidate, cards: int) -> LayoutPlan:
        layout = candidate.layout
        found = LayoutPlan(layout, cards // layout.cards, notes=_notes(candidate))
        if candidate.why_not is not None:
            return replace(found, why_not=candidate.why_not)
        if self.kv_dtype == "bf16" and needs_fp8_cache(self.shape, layout):
            return replace(found, why_not=NEEDS_FP8_CACHE)
        memory = self._roomy(layout)
        found = replace(found, fit=memory)
        if not memory.fits:
            return replace(found, why_not=memory.why_not)
        held = self._held(layout, memory)
        if held == 0:
            tokens = f"room for {memory.kv_tokens:,} KV tokens"
            return replace(found, why_not=f"{tokens} does not admit one request of this length")
        concurrency = self._concurrency(layout, held)
        if concurrency == 0:
            return replace(found, why_not=self._miss(layout))
        speed = self.speed(layout, concurrency)
        cost = usd_per_mtok(self.card, speed.out_tok_s_per_card)
        return replace(found, concurrency=concurrency, speed=speed, usd_per_mtok_out=cost)

    def fit(self, layout: Layout, card: Card, batched_tokens_max: int = BATCHED_TOKENS[0]) -> Fit:
        return fit(
            self.shape,
            layout,
            card,
            memory_utilization=MEMORY_UTILIZATION,
            kv_dtype=self.kv_dtype,
            batched_tokens_max=batched_tokens_max,
            running_max=self.running_max,
        )

    def _roomy(self, layout: Layout) -> Fit:
        """With the largest step that admits a request, if any does."""
        largest = self.fit(layout, self.card)
        if not largest.fits or self._held(layout, largest):
            return largest
        smaller = (self.fit(layout, self.card, tokens) for tokens in BATCHED_TOKENS[1:])
        return next((each for each in smaller if self._held(layout, each)), largest)

    def _held(self, layout: Layout, memory: Fit) -> int:
        request_tokens = self.objective.input_tokens + self.objective.output_tokens
        return requests_held(self.shape, layout, memory, request_tokens)

    def _concurrency(self, layout: Layout, held: int) -> int:
        """The most requests that the objectives allow, of those that KV blocks hold; 0 when not
        even one. Speed falls with concurrency, so the search is by halves."""
        low, high = 0, held
        while low < high:
            middle = (low + high + 1) // 2
            if self.objective.is_met(self.speed(layout, middle)):
                low = middle
            else:
                high = middle - 1
        return low

    def _miss(self, layout: Layout) -> str:
        speed, asked = self.speed(layout, 1), self.objective
        if asked.ttft_ms is not None and speed.ttft_ms > asked.ttft_ms:
            return f"TTFT {speed.ttft_ms:,.0f} ms alone is above {asked.ttft_ms:g}"
        return f"TPOT {speed.tpot_ms:.1f} ms alone is above {asked.tpot_ms:g}"

    def speed(self, layout: Layout, concurrency: int) -> Speed:
        load = self.objective.load(concurrency)
        return predict(self.shape, layout, self.card, load, kv_dtype=self.kv_dtype)


def _notes(candidate: Candidate) -> tuple[str, ...]:
    if is_tested(candidate.layout):
        return candidate.notes
    return (*candidate.notes, UNTESTED)


def _rank(found: LayoutPlan) -> tuple[bool, bool, float, float, int]:
    """The cheapest first, small replicas before large ones; of the refused, what fits and then
    what is nearest to it."""
    speed = -found.out_tok_s_per_card
    return found.why_not is not None, not found.fits, speed, found.weights_bytes, found.layout.cards


def _would_fit(sizing: _Sizing, cards: int, other_cards: Sequence[Card]) -> Iterator[str]:
    """More cards of this kind, and as many of another one."""
    more = (count for count in CARD_COUNTS if count > cards)
    enough = next((count for count in more if _some_fit(sizing, count, sizing.card)), None)
    if enough is not None:
        yield f"{enough} × {sizing.card.name}"
    for card in other_cards:
        if card.memory_gib is not None and _some_fit(sizing, cards, card):
            yield f"{cards} × {card.name}"


def _some_fit(sizing: _Sizing, cards: int, card: Card) -> bool:
    return any(
        candidate.why_not is None and sizing.fit(candidate.layout, card).fits
        for candidate in layouts(sizing.shape, cards)
    )
