"""What the choices of an answer, or of a stream's frame, say: why one ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# With any reason that is not here the model had ended its answer.
CUT_OFF_REASONS = frozenset(
    {
        "length",
        "content_filter",
        "max_tokens",  # Anthropic's word for length
        "model_length",  # Mistral's, for the end of the context
        "model_context_window_exceeded",  # Zhipu's and Anthropic's for the same
        "sensitive",  # Zhipu's word for a filter
    }
)
# No end, but a failure of the target.
FAILURE_REASONS = frozenset(
    {
        "error",  # OpenRouter
        "abort",  # vLLM, SGLang
        "network_error",  # Zhipu
        "insufficient_system_resource",  # DeepSeek
    }
)
_NO_REASONS = frozenset({"", "null", "none"})  # some send these instead of null


def each_choice(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    choices = body.get("choices")
    if isinstance(choices, list):
        yield from (choice for choice in choices if isinstance(choice, dict))


def finish_reason(choice: dict[str, Any]) -> str | None:
    """None where the choice goes on."""
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason.lower() not in _NO_REASONS else None


def choice_index(choice: dict[str, Any]) -> int:
    """The first where it does not say which; -1 where what it says is no index."""
    index = choice.get("index")
    if index is None:
        return 0
    return index if isinstance(index, int) and index >= 0 else -1
