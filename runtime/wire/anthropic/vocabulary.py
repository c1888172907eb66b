"""What the words of Anthropic's Messages API mean in OpenAI's chat completions."""

from __future__ import annotations

# Why an answer ended. `pause_turn` comes of tools that the vendor runs, and none is ever asked for.
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

# The status that an error has, or would have had where it comes inside a stream.
ERROR_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def finish_reason(stop_reason: str) -> str:
    """A reason that is not known here is an end all the same."""
    return FINISH_REASONS.get(stop_reason, "stop")
