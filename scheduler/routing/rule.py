"""A rule of the configuration: which models may answer a task, in what order, in which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.money import NanoUsd


class Choose(StrEnum):
    """How the first of the candidates that may answer is found."""

    IN_ORDER = "in_order"  # as they are written
    CHEAPEST = "cheapest"  # the least expected cost; the order decides between equals
    BEST_VALUE = "best_value"  # quality less what it costs, at the rule's exchange rate


class Substitute(StrEnum):
    """When a candidate that is not the first may answer instead of one before it."""

    OVERLOAD = "overload"  # the ones before it are full, or have failed
    FAILURE = "failure"  # the ones before it have failed


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request asks of a model, or a rule of all its candidates."""

    tools: bool = False
    images: bool = False
    structured_output: bool = False
    languages: frozenset[str] = frozenset()
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model can do, from the catalogue and the configuration."""

    context_tokens_max: int
    tools: bool = False
    images: bool = False
    structured_output: bool = False
    languages: frozenset[str] | None = None  # None: not stated, so any

    def lacks(self, needs: Needs) -> str | None:
        """The first thing that is missing."""
        if needs.context_tokens > self.context_tokens_max:
            return "context"
        for ability in ("tools", "images", "structured_output"):
            if getattr(needs, ability) and not getattr(self, ability):
                return ability
        if self.languages is not None and not needs.languages <= self.languages:
            return "language"
        return None


@dataclass(frozen=True, slots=True)
class Candidate:
    """``quality_floor`` and ``first_token_ms_max`` are those of the rule where it has none."""

    model: str
    substitute: Substitute = Substitute.OVERLOAD
    quality_floor: float | None = None
    first_token_ms_max: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """``cost_max_nano`` bounds the worst case of one request, by its ``max_tokens``."""

    name: str
    tasks: frozenset[str]
    candidates: tuple[Candidate, ...]
    choose: Choose = Choose.IN_ORDER
    quality_floor: float = 0.0
    cost_max_nano: NanoUsd | None = None
    needs: Needs = Needs()
    first_token_ms_max: int | None = None
    score_per_usd: float = 0.0  # for BEST_VALUE: what a dollar per request weighs
    temperature: float | None = None  # for requests that say none
    max_tokens: int | None = None
