"""Token counts as a target reports them, and who ended its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TOKENS_MAX = 10**9  # above this a report is a fault, not a count
CUT_OFF_REASONS = frozenset({"length", "content_filter"})  # with any other the model had ended


@dataclass(frozen=True, slots=True)
class Usage:
    """``cached_tokens`` are among the prompt tokens, not beside them."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


def read_usage(body: dict[str, Any]) -> Usage | None:
    """The usage in an answer or a stream frame; None where there is none that can be believed."""
    told = body.get("usage")
    if not isinstance(told, dict):
        return None
    prompt_tokens = _count(told.get("prompt_tokens"))
    completion_tokens = _count(told.get("completion_tokens", 0))
    if prompt_tokens is None or completion_tokens is None:
        return None
    details = told.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    if cached is None:
        cached = told.get("prompt_cache_hit_tokens")  # another vendor's name for it
    return Usage(prompt_tokens, min(_count(cached) or 0, prompt_tokens), completion_tokens)


def finish_reasons(choices: Any) -> set[str]:
    """Those told in the choices of an answer or a stream frame."""
    listed = choices if isinstance(choices, list) else ()
    return {
        str(choice["finish_reason"])
        for choice in listed
        if isinstance(choice, dict) and choice.get("finish_reason") is not None
    }


def _count(value: Any) -> int | None:
    # bool is an int to Python, not to a bill
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOKENS_MAX:
        return value
    return None
