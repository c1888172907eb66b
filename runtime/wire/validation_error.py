"""A failed validation as one error of ours: where, what is allowed there, and what stood there.

One finding is told. A field that takes several shapes gives findings about each of them: those
of a shape that the caller did not mean say only that the kind of value is another, and count
less than one about a value of the right kind. What the caller sent is never quoted, except field
names, shortened.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runtime.errors import BadRequest, BaseloadError, UnknownField
from runtime.message_text import Path, written
from runtime.request_limits import refusals
from runtime.wire.unserved_fields import MEDIA_PARTS, REFUSED, REFUSED_INSIDE

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
    "finite_number": "must be a finite number",
    "int_parsing_size": "must fit 64 bits",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "has a character that is not allowed there",
    "string_too_short": "must have at least {min_length} character(s)",
    "too_short": "must have at least {min_length} item(s)",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "string_too_long": "must have at most {max_length} characters, not {actual}",
    "too_long": "must have at most {max_length} item(s), not {actual}",
    "less_than_equal": "must be at most {le}",
}
_UPPER_BOUNDS = frozenset({"string_too_long", "too_long", "less_than_equal"})
# Fields that take several shapes: all of them are told.
_SHAPES = {
    "content": "must be a string or a list of text parts",
    "prompt": "must be a string, a list of strings, a list of token ids, or a list of such lists",
    "stop": "must be a string or a list of strings",
    "tool_choice": "must be 'none', 'auto', 'required' or one named function",
}
_SWITCHES = "must be true, false, an integer or a short string"
_FREE_KEYED = frozenset({"logit_bias"})
_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def to_error(failed: ValidationError, document: dict[str, Any]) -> BaseloadError:
    found = [
        (_path(detail, document), detail)
        for detail in failed.errors(include_url=False, include_input=True)
    ]
    path, detail = max(found, key=_weight)
    param = written(path)
    if path and detail["type"] == "extra_forbidden":
        return _unknown(path, str(param))
    if detail["type"] in _UPPER_BOUNDS:
        refusals[_field(path)] += 1
    where = f"`{param}`" if param else "A field name"  # a name that is no text has no path
    return BadRequest(f"{where} {_says(path, detail)}.", param=param)


def _weight(found: tuple[Path, ErrorDetails]) -> tuple[bool, int, list[int]]:
    """Of several findings, the one to tell: about a value of the right kind, then deepest, then
    furthest along in a list: a list's items are checked one after the other."""
    path, detail = found
    return (
        not _is_other_kind(detail),
        len(path),
        [step for step in path if isinstance(step, int)],
    )


def _is_other_kind(detail: ErrorDetails) -> bool:
    kind = detail["type"]
    if kind == "literal_error":
        return isinstance(detail["input"], dict | list)
    return kind.endswith("_type")


def _unknown(path: Path, param: str) -> BaseloadError:
    field = _field(path)
    hint = REFUSED_INSIDE.get(field) or REFUSED_INSIDE.get(field.rpartition(".")[0] + ".*")
    hint = hint or REFUSED.get(str(path[-1]))
    if hint:
        return UnknownField(f"`{param}` is not served: {hint}.", param=param)
    return UnknownField(f"There is no field `{param}` here.", param=param)


def _says(path: Path, detail: ErrorDetails) -> str:
    kind, got = detail["type"], detail["input"]
    if kind == "request":  # our own words
        return detail["msg"]
    context = {"actual": len(got)} if isinstance(got, str | list) else {}
    template = _SAYS.get(kind, "is not valid")
    if _is_other_kind(detail):
        if path and path[-1] in _SHAPES:
            template = _SHAPES[str(path[-1])]
        elif len(path) > 1 and path[-2] == "chat_template_kwargs":
            template = _SWITCHES
        template += f", not {_KINDS.get(type(got), 'that')}"
    elif path[-1:] == ("type",) and "content" in path and isinstance(got, str):
        template += f": {MEDIA_PARTS.get(got, 'only text is served')}"
    elif kind == "missing" and path[-1] == "function":
        template += ": an object with the function's name"
    return template.format(**{**detail.get("ctx", {}), **context})


def _path(detail: ErrorDetails, document: dict[str, Any]) -> Path:
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


def _field(path: Path) -> str:
    """The path without what the caller chose in it, so that it can name a counter."""
    names = [step for step in path if isinstance(step, str)]
    return ".".join(names[:1] if names and names[0] in _FREE_KEYED else names)
