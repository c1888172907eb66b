"""A rule of the configuration: which models may answer a task, in what order, in which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from models.money import NanoUsd

LANGUAGE = "language"  # that a model lacks
RULES_KEPT = 256  # of models that requests name


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

    def joined(self, other: Needs) -> Needs:
        """All that is in either."""
        return Needs(
            self.tools or other.tools,
            self.images or other.images,
            self.structured_output or other.structured_output,
            self.languages | other.languages,
            max(self.context_tokens, other.context_tokens),
        )


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model can do, as far as the configuration says. What it does not say, the model is
    taken to do: then its target itself refuses what it cannot."""

    tools: bool = True
    images: bool = True
    structured_output: bool = True
    languages: frozenset[str] | None = None
    context_tokens_max: int | None = None

    def lacks(self, needs: Needs) -> str | None:
        """The first thing that is missing."""
        if is_over(needs.context_tokens, self.context_tokens_max):
            return "context"
        if needs.tools and not self.tools:
            return "tools"
        if needs.images and not self.images:
            return "images"
        if needs.structured_output and not self.structured_output:
            return "structured_output"
        if self.languages is not None and not needs.languages <= self.languages:
            return LANGUAGE
        return None


ANY_ABILITY = Abilities()


def is_over(tokens: int, tokens_max: int | None) -> bool:
    return tokens_max is not None and tokens > tokens_max


@dataclass(frozen=True, slots=True)
class Candidate:
    """``quality_floor`` and ``first_token_ms_max`` are those of the rule where it has none."""

    model: str
    substitute: Substitute = Substitute.OVERLOAD
    quality_floor: float | None = None
    first_token_ms_max: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """``name`` is "" where a caller asked for a model by its name: then it is the one candidate.
    ``cost_nano_max`` bounds the worst case of one request, by its ``max_tokens``."""

    name: str
    tasks: frozenset[str]
    candidates: tuple[Candidate, ...]
    choose: Choose = Choose.IN_ORDER
    quality_floor: float = 0.0
    cost_nano_max: NanoUsd | None = None
    needs: Needs = Needs()
    first_token_ms_max: int | None = None
    deadline_ms: int | None = None  # over all attempts together
    score_per_usd: float = 0.0  # for BEST_VALUE: what a dollar per request weighs
    temperature: float | None = None  # for requests that say none
    max_tokens: int | None = None

    def floor(self, candidate: Candidate) -> float:
        own = candidate.quality_floor
        return self.quality_floor if own is None else own


@lru_cache(RULES_KEPT)
def named(model: str) -> Rule:
    """The rule of a request that names a model: it is never replaced by another one."""
    return Rule("", frozenset(), (Candidate(model),))
