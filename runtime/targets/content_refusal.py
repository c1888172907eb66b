"""Whether a target refused what a request says, by a policy on content.

Such a refusal is final: another model must not be asked what one has refused. Vendors tell it with
400, 403 or within an answer; Azure OpenAI, Moonshot and OpenAI by a code, Alibaba and Zhipu by one
of their own, OpenRouter by what its moderation has flagged.
"""

from __future__ import annotations

from typing import Any

CODES = frozenset(
    {
        "content_filter",  # Azure OpenAI, Moonshot
        "responsibleaipolicyviolation",  # Azure OpenAI's inner code
        "content_policy_violation",  # OpenAI
        "moderation_blocked",  # OpenAI
        "data_inspection_failed",  # Alibaba
        "datainspectionfailed",
        "1301",  # Zhipu
    }
)
NAME_KEYS = ("code", "type")
FLAGGED_KEYS = ("flagged_input", "reasons")  # OpenRouter's metadata


def is_content_refusal(told: dict[str, Any]) -> bool:
    """``told`` is an error's body, or an event that is one."""
    error = told.get("error")
    if not isinstance(error, dict):
        return _names_it(told)
    inner, metadata = error.get("innererror"), error.get("metadata")
    return (
        _names_it(error)
        or (isinstance(inner, dict) and _names_it(inner))
        or (isinstance(metadata, dict) and any(map(metadata.get, FLAGGED_KEYS)))
    )


def _names_it(place: dict[str, Any]) -> bool:
    return any(str(place.get(key)).lower() in CODES for key in NAME_KEYS)
