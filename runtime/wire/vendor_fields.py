"""A request's fields at one vendor: which it refuses, which it is not sent, and their names there.

A vendor that cannot honour a field does not get the request; what the vendor itself says has no
effect there is left out, and told to the caller.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from models.vendors import VendorTerms

# What vLLM serves and OpenAI does not: without them an answer is much the same one.
HINTS = ("top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos", "cache_salt")

# A value that asks for what is done anyway: with it no vendor has to know the field.
NEUTRAL: dict[str, Any] = {
    "n": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
    "parallel_tool_calls": True,
    "temperature": 1,
    "top_p": 1,
    "stop": [],
}


def refused_field(request: BaseModel, terms: VendorTerms) -> str | None:
    """The field for which the vendor may not have the request, by what it says of fields that
    every kind of request has; None where there is none."""
    said = request.model_fields_set
    for name in sorted((said & terms.not_taken).difference(HINTS)):
        value = getattr(request, name)
        if value is not None and not _is_neutral(name, value):
            return name
    for pair in terms.not_together:
        if all(getattr(request, name, None) is not None for name in pair):
            return min(pair)
    temperature: float | None = getattr(request, "temperature", None)
    if temperature is None or "temperature" in terms.not_taken:
        temperature = terms.temperature_max
    if not terms.temperature_min <= temperature <= terms.temperature_max:
        return "temperature"
    stop = getattr(request, "stop", None)
    if terms.stops_max is not None and isinstance(stop, list) and len(stop) > terms.stops_max:
        return "stop"
    return None


def fit_vendor(fields: dict[str, Any], terms: VendorTerms) -> None:
    """Brings the fields of a request that the vendor may have into the form that it reads."""
    for name in terms.not_taken | terms.left_out:
        fields.pop(name, None)
    form = fields.get("response_format")
    if form is not None and form["type"] == "text":
        del fields["response_format"]
    for tool in fields.get("tools", ()) if "tools.strict" in terms.not_taken else ():
        tool["function"].pop("strict", None)
    if not terms.asks_for_usage:
        fields.pop("stream_options", None)
    for old, new in terms.renamed.items():
        if old in fields:
            fields[new] = fields.pop(old)
    fields.update(terms.added)


@lru_cache(256)
def kept_from_vendor(names: tuple[str, ...], terms: VendorTerms) -> dict[str, bool]:
    """Which of these it is not sent, for ``model_dump``."""
    return {name: True for name in names if name not in terms.takes}


def _is_neutral(name: str, value: Any) -> bool:
    neutral = NEUTRAL.get(name)
    if neutral is False:  # 0 is a number of them elsewhere
        return value is False
    return neutral is not None and value == neutral
