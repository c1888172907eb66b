"""What the choices of an answer, or of a stream's frame, say: words, and why one ended."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
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


# Where the words of an answer stand, in a message or a delta; names in a group are for the same.
_WORDS = (
    ("content",),
    ("reasoning_content", "reasoning", "reasoning_details"),
    ("refusal",),
    ("tool_calls", "function_call"),
)
_ALL_NAMES = tuple(chain.from_iterable(_WORDS))
_NO_WORDS = frozenset({"id", "index", "type", "signature", "format"})  # keys in those
_DEPTH_MAX = 8  # of words in lists and objects


def has_words(choice: dict[str, Any]) -> bool:
    """Whether it carries answer: text, reasoning, a tool call or a refusal."""
    if choice.get("text"):  # of a completion
        return True
    said = _said(choice)
    return bool(said) and any(map(said.get, _ALL_NAMES))


def words(choice: dict[str, Any]) -> str:
    """All that was generated for it, as text."""
    said = _said(choice)
    found = [next((said[name] for name in names if said.get(name)), None) for names in _WORDS]
    return "".join(chain(_strings(choice.get("text"), 1), _strings(found, 0)))


def _said(choice: dict[str, Any]) -> dict[str, Any]:
    said = choice.get("delta") or choice.get("message")
    return said if isinstance(said, dict) else {}


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _DEPTH_MAX and isinstance(value, dict):
        for key, each in value.items():
            if key not in _NO_WORDS:
                yield from _strings(each, depth + 1)
    elif depth < _DEPTH_MAX and isinstance(value, list):
        for each in value:
            yield from _strings(each, depth + 1)
