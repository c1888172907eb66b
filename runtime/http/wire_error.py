"""A failed validation as one error of ours: where, and what is allowed there.

Only the first of the deepest findings is told: for a field that takes several shapes the
shallow findings are about shapes the caller did not mean. What the caller sent is never quoted,
except field names, shortened.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runtime.errors import BadRequest, BaseloadError, UnknownField
from runtime.http.limits import refusals, shown

_SAYS = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_unicode": "must be text without lone surrogates",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "none_required": "must be null",
    "finite_number": "must be a finite number",
    "int_parsing_size": "must fit 64 bits",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "has a character that is not allowed there",
    "string_too_short": "must have at least {min_length} character(s)",
    "too_short": "must have at least {min_length} item(s)",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} item(s)",
    "less_than_equal": "must be at most {le}",
}
_UPPER_BOUNDS = frozenset({"string_too_long", "too_long", "less_than_equal"})
_SHAPES = {
    "content": "must be a string or a list of text parts",
    "prompt": "must be a string, a list of strings, a list of token ids, or a list of such lists",
    "stop": "must be a string or a list of strings",
    "tool_choice": "must be 'none', 'auto', 'required' or one named function",
}
# Known to clients, not served: the reason helps more than "there is no such field".
_NOT_SERVED = {
    "suffix": "filling in the middle is not served",
    "best_of": "send n",
    "functions": "send tools",
    "function_call": "send tool_choice",
    "image_url": "only text is served",
    "input_audio": "only text is served",
    "file": "only text is served",
    "audio": "only text is served",
    "modalities": "only text is served",
    "cache_salt": "the server sets it",
    "priority": "the server sets it",
    "request_id": "the server sets it",
    "chat_template": "the model's own template is used",
}
_FREE_KEYED = frozenset({"metadata", "logit_bias"})

_Path = tuple[str | int, ...]


def to_error(failed: ValidationError, document: dict[str, Any]) -> BaseloadError:
    found = [
        (_path(detail, document), detail)
        for detail in failed.errors(include_url=False, include_input=False)
    ]
    path, detail = max(found, key=lambda pair: len(pair[0]))  # the first of the longest
    param = _written(path)
    if path and detail["type"] == "extra_forbidden":
        why = _NOT_SERVED.get(str(path[-1]))
        hint = f": {why}." if why else "."
        return UnknownField(f"There is no field `{param}` here{hint}", param=param)
    if detail["type"] in _UPPER_BOUNDS:
        refusals[_field(path)] += 1
    where = f"`{param}`" if param else "A field name"  # a name that is no text has no path
    return BadRequest(f"{where} {_says(path, detail)}.", param=param)


def _says(path: _Path, detail: ErrorDetails) -> str:
    if detail["type"] == "request":  # our own words
        return detail["msg"]
    if detail["type"].endswith("_type") and path and path[-1] in _SHAPES:
        return _SHAPES[str(path[-1])]
    template = _SAYS.get(detail["type"], "is not valid")
    if path[-1:] == ("type",) and "content" in path:
        template += "; only text is served"
    return template.format(**detail.get("ctx", {}))


def _path(detail: ErrorDetails, document: dict[str, Any]) -> _Path:
    """Where in the document. Validation adds the names of the shapes it tried: left out."""
    path: list[str | int] = []
    node: Any = document
    for step in detail["loc"]:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    elif detail["type"] == "request":  # a rule over several fields names its own
        path.extend(detail["ctx"]["at"])
    return tuple(path)


def _written(path: _Path) -> str | None:
    written = ""
    for step in path:
        written += f"[{step}]" if isinstance(step, int) else f".{shown(step)}"
    return written.lstrip(".") or None


def _field(path: _Path) -> str:
    """The path without what the caller chose in it, so that it can name a counter."""
    names = [step for step in path if isinstance(step, str)]
    return ".".join(names[:1] if names and names[0] in _FREE_KEYED else names)
