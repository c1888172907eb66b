"""Token counts as a target reports them: where, under which names, and what they leave out.

What OpenAI calls ``prompt_tokens`` and ``completion_tokens`` has other names elsewhere, stands
elsewhere in an answer, or leaves something out. The names are data; the rules are few: of a count
that is told more than once the greatest holds, and a total that is more than its parts is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runtime.request_limits import LIMITS
from runtime.wire.choices import choice_index, each_choice

TOKENS_MAX = 10**9  # above this a report is a fault, not a count

# A usage object stands in the answer or the stream's frame itself, or here.
USAGE = "usage"
GROQ = "x_groq"  # of Groq's streams: an object with the usage object in it
# Moonshot's streams have one in each choice, of that choice.

PROMPT, COMPLETION, TOTAL, CACHED, REASONING = (
    "prompt",
    "completion",
    "total",
    "cached",
    "reasoning",
)
INPUT, CACHE_READ, CACHE_WRITE = "input", "cache_read", "cache_write"

# What each name in a usage object counts; a name may stand for an object of further names.
NAMES: dict[str, str | dict[str, str]] = {
    "prompt_tokens": PROMPT,
    "completion_tokens": COMPLETION,
    "total_tokens": TOTAL,
    "prompt_tokens_details": {"cached_tokens": CACHED},  # OpenAI, vLLM, xAI, Mistral, Alibaba
    "completion_tokens_details": {"reasoning_tokens": REASONING},
    "reasoning_tokens": REASONING,  # SGLang, Perplexity
    "prompt_cache_hit_tokens": CACHED,  # DeepSeek
    "cached_tokens": CACHED,  # Moonshot, Together
    # Anthropic; with the details, OpenAI's Responses
    "input_tokens": INPUT,
    "output_tokens": COMPLETION,
    "cache_read_input_tokens": CACHE_READ,
    "cache_creation_input_tokens": CACHE_WRITE,
    "input_tokens_details": {"cached_tokens": CACHED},
    "output_tokens_details": {"reasoning_tokens": REASONING},
}


@dataclass(frozen=True, slots=True)
class Usage:
    """The counts as they were told; None is one that was not. ``cached_tokens`` and
    ``cache_write_tokens`` are among the prompt tokens, not beside them."""

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None
    cache_write_tokens: int | None = None

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
        """The greater of each count: what was told once is not taken back by a smaller report."""
        return Usage(
            _greater(self.prompt_tokens, other.prompt_tokens),
            _greater(self.cached_tokens, other.cached_tokens),
            _greater(self.completion_tokens, other.completion_tokens),
            _greater(self.reasoning_tokens, other.reasoning_tokens),
            _greater(self.total_tokens, other.total_tokens),
            _greater(self.cache_write_tokens, other.cache_write_tokens),
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
        groq = body.get(GROQ)
        for told in (body.get(USAGE), groq.get(USAGE) if isinstance(groq, dict) else None):
            if (usage := _read(told)) is not None:
                before = self._of_all
                self._of_all = usage if before is None else usage.at_least(before)
        for choice in each_choice(body):
            if (usage := _read(choice.get(USAGE))) is not None:
                index = choice_index(choice)
                if 0 <= index < LIMITS.choices_max:
                    before = self._of_choices.get(index)
                    self._of_choices[index] = usage if before is None else usage.at_least(before)


def _read(told: Any) -> Usage | None:
    if not isinstance(told, dict):
        return None
    counts: dict[str, int] = {}
    for name, value in told.items():
        count = NAMES.get(name)
        if isinstance(count, str):
            _note(counts, count, value)
        elif count is not None and isinstance(value, dict):
            for part, meaning in count.items():
                _note(counts, meaning, value.get(part))
    prompt, cached = _prompt(counts)
    if prompt is None and COMPLETION not in counts:
        return None
    written = counts.get(CACHE_WRITE)
    if written is not None and prompt is not None:
        written = min(written, prompt - (cached or 0))
    return Usage(
        prompt,
        cached,
        counts.get(COMPLETION),
        counts.get(REASONING),
        counts.get(TOTAL),
        written,
    )


def _note(counts: dict[str, int], count: str, value: Any) -> None:
    """Who sends a count under two names may leave one of them at 0."""
    # bool is an int to Python, not to a bill
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOKENS_MAX:
        counts[count] = max(value, counts.get(count, 0))


def _prompt(counts: dict[str, int]) -> tuple[int | None, int | None]:
    """All of the prompt, and what of it came from a cache."""
    prompt, read = counts.get(PROMPT), counts.get(CACHE_READ)
    if not prompt and INPUT in counts:
        # Anthropic's are only those that no cache has to do with.
        prompt = counts[INPUT] + (read or 0) + counts.get(CACHE_WRITE, 0)
    cached = _greater(counts.get(CACHED), read)
    if prompt is not None and cached is not None:
        cached = min(cached, prompt)
    return prompt, cached


def _together(usages: Iterable[Usage]) -> Usage | None:
    """Of choices that each tell their own: they have one prompt."""
    all_of_them: Usage | None = None
    for usage in usages:
        output = usage.output_tokens
        if all_of_them is not None:
            output = (output or 0) + (all_of_them.completion_tokens or 0)
            usage = usage.at_least(all_of_them)
        all_of_them = Usage(usage.prompt_tokens, usage.cached_tokens, output)
    return all_of_them


def _greater(one: int | None, other: int | None) -> int | None:
    if one is None or (other is not None and other > one):
        return other
    return one
