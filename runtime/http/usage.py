"""Token counts as a target reports them: where, under which names, and what they leave out.

What OpenAI calls ``prompt_tokens`` and ``completion_tokens`` has other names elsewhere, stands
elsewhere in an answer, or leaves something out. The names are data; the rules are few: of a count
that is told more than once the greatest holds, and a total that is more than its parts is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from runtime.http.choices import choice_index, each_choice
from runtime.http.limits import LIMITS

TOKENS_MAX = 10**9  # above this a report is a fault, not a count

Path = tuple[str, ...]  # keys, from the usage object on

# A usage object stands in the answer or the stream frame itself, or here.
PLACES: tuple[Path, ...] = (("usage",), ("x_groq", "usage"))  # the second: Groq's streams
IN_CHOICE: Path = ("usage",)  # Moonshot's streams: of one choice

PROMPT: tuple[Path, ...] = (("prompt_tokens",),)
COMPLETION: tuple[Path, ...] = (
    ("completion_tokens",),
    ("output_tokens",),  # Anthropic's; OpenAI's Responses
)
TOTAL: tuple[Path, ...] = (("total_tokens",),)
CACHED: tuple[Path, ...] = (
    ("prompt_tokens_details", "cached_tokens"),  # OpenAI, vLLM, xAI, Fireworks, Mistral, Alibaba
    ("prompt_cache_hit_tokens",),  # DeepSeek
    ("cached_tokens",),  # Moonshot, Together
    ("input_tokens_details", "cached_tokens"),  # OpenAI's Responses
    ("cache_read_input_tokens",),  # Anthropic's
)
REASONING: tuple[Path, ...] = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),  # OpenAI's Responses
    ("reasoning_tokens",),  # SGLang, Perplexity
)
# Anthropic's ``input_tokens`` are those that no cache has to do with: these come beside them.
INPUT: Path = ("input_tokens",)
BESIDE_INPUT: tuple[Path, ...] = (("cache_read_input_tokens",), ("cache_creation_input_tokens",))


@dataclass(frozen=True, slots=True)
class Usage:
    """The counts as they were told; None is one that was not. ``cached_tokens`` are among the
    prompt tokens, not beside them."""

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None

    @property
    def output_tokens(self) -> int | None:
        """All that was generated: some vendors count reasoning beside the completion, so that only
        the total has it, or the reasoning alone is more than the completion."""
        told = self.completion_tokens
        if told is not None and self.reasoning_tokens is not None and self.reasoning_tokens > told:
            told += self.reasoning_tokens
        if self.total_tokens is not None and self.prompt_tokens:
            told = max(told or 0, self.total_tokens - self.prompt_tokens)
        return told

    def at_least(self, other: Usage) -> Usage:
        """Of each count the greater: what was told once is not taken back by a smaller report."""
        return Usage(
            *(_most((getattr(self, each.name), getattr(other, each.name))) for each in fields(self))
        )


class Tally:
    """What one answer has told of its usage so far, whole or frame by frame."""

    __slots__ = ("_of_all", "_of_choices")

    def __init__(self) -> None:
        self._of_all: Usage | None = None
        self._of_choices: dict[int, Usage] = {}

    @property
    def usage(self) -> Usage | None:
        """None while nothing that can be believed was told."""
        return self._of_all or _together(self._of_choices.values())

    def add(self, body: dict[str, Any]) -> None:
        """An answer, or a stream's frame."""
        for place in PLACES:
            if (usage := _read(_at(body, place))) is not None:
                self._of_all = usage.at_least(self._of_all or usage)
        for choice in each_choice(body):
            if (usage := _read(_at(choice, IN_CHOICE))) is not None:
                index = choice_index(choice)
                if 0 <= index < LIMITS.choices_max:
                    before = self._of_choices.get(index, usage)
                    self._of_choices[index] = usage.at_least(before)


def _read(told: Any) -> Usage | None:
    if not isinstance(told, dict):
        return None
    cached, total = _first(told, CACHED), _first(told, TOTAL)
    prompt, completion = _prompt(told), _first(told, COMPLETION)
    if prompt is None and completion is None:
        return None
    if cached is not None and prompt is not None:
        cached = min(cached, prompt)
    return Usage(prompt, cached, completion, _first(told, REASONING), total)


def _prompt(told: dict[str, Any]) -> int | None:
    prompt, inputs = _first(told, PROMPT), _first(told, (INPUT,))
    if prompt or inputs is None:
        return prompt
    return inputs + sum(_first(told, (path,)) or 0 for path in BESIDE_INPUT)


def _together(usages: Iterable[Usage]) -> Usage | None:
    """Of choices that each tell their own: they have one prompt."""
    found = list(usages)
    if not found:
        return None
    outputs = [usage.output_tokens for usage in found if usage.output_tokens is not None]
    return Usage(
        _most(usage.prompt_tokens for usage in found),
        _most(usage.cached_tokens for usage in found),
        sum(outputs) if outputs else None,
    )


def _first(told: dict[str, Any], paths: Iterable[Path]) -> int | None:
    """The greatest count under these names: who sends two of them may leave one at 0."""
    return _most(_count(_at(told, path)) for path in paths)


def _at(told: Any, path: Path) -> Any:
    for key in path:
        told = told.get(key) if isinstance(told, dict) else None
    return told


def _most(counts: Iterable[int | None]) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _count(value: Any) -> int | None:
    # bool is an int to Python, not to a bill
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOKENS_MAX:
        return value
    return None
