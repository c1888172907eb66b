"""What is wrong with a configuration, for the person who edits the file: where, what was expected
there and what stands there, and what to write instead. Secrets are never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from models.unknown_names import did_you_mean
from runtime.message_text import shown

PROBLEMS_SHOWN_MAX = 12
NAMES_SHOWN_MAX = 24  # known names that an unknown one is answered with

Path = tuple[str | int, ...]  # keys of mappings and numbers of list items, from the outermost in

UNKNOWN = "is not known here"  # of a key; what is wrong with it may begin so and go on
_AT = "at"  # the type of errors that `wrong_at` makes
_SECRET_NAMES = frozenset({"base_url", "env_vars"})  # a URL may hold a password
_SECRET_WORDS = frozenset({"key", "token", "secret", "password", "sha256"})
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of a sensible size",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "enum": "{expected}",
    "literal_error": "{expected}",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """``value`` is what stands at ``path``, as it may be shown; None where it may not, or where
    nothing stands. ``instead`` says what to write, where ``wrong`` does not say it already."""

    path: Path
    wrong: str
    instead: str = ""
    value: str | None = None

    def __str__(self) -> str:
        said = f"{self.wrong}; {self.instead}" if self.instead else self.wrong
        return f"{where(self.path)}: {said}" if self.path else said


def one_line(problems: Sequence[object]) -> str:
    told = [str(problem) for problem in problems[:PROBLEMS_SHOWN_MAX]]
    more = len(problems) - PROBLEMS_SHOWN_MAX
    return "; ".join(told + ([f"and {more} more"] if more > 0 else []))


def where(path: Iterable[str | int]) -> str:
    """The place of a value, such as ``pools[0].engine``; a key that has a dot in it stands in
    brackets, too."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += f'["{shown(part)}"]'
    return text


def given(value: object) -> str:
    """A value as a message may quote it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{shown(value)}'"
        case Mapping():
            return "a mapping"
        case list() | tuple() | set() | frozenset():
            return "a list"
        case _:
            return shown(str(value))


def is_secret(path: Iterable[str | int]) -> bool:
    """Whether a value there could be a secret, put where it belongs or where it does not."""
    names = [part for part in path if isinstance(part, str)]
    last = re.split(r"[^a-z0-9]+", names[-1].lower()) if names else []
    return not _SECRET_NAMES.isdisjoint(names) or not _SECRET_WORDS.isdisjoint(last)


def wrong_at(path: Path, wrong: str) -> PydanticCustomError:
    """The error that a validator of a whole model raises to say which of its fields is meant."""
    return PydanticCustomError(_AT, "{wrong}", {"path": list(path), "wrong": wrong})


def all_wrong(
    wrongs: Sequence[tuple[Path, str]], more: ValidationError | None = None
) -> ValidationError:
    """The same for several things at once; ``more`` is what a validation has found besides."""
    found = [InitErrorDetails(type=wrong_at(*each), loc=(), input=None) for each in wrongs]
    for item in () if more is None else more.errors(include_url=False):
        kind, context = item["type"], item.get("ctx", {})
        is_ours = kind == _AT
        again = PydanticCustomError(_AT, "{wrong}", context) if is_ours else kind
        found.append(
            InitErrorDetails(type=again, loc=item["loc"], input=item["input"], ctx=context)
        )
    return ValidationError.from_exception_data("several", found)


def problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """All that ``model`` has against what it was made from."""
    return [_problem(item, model) for item in error.errors(include_url=False)]


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The same in one line."""
    return one_line(problems(error, model))


def _problem(item: ErrorDetails, model: type[BaseModel]) -> Problem:
    kind, context, path = item["type"], item.get("ctx", {}), item["loc"]
    if path and path[-1] == "[key]":
        path = path[:-1]
    if kind == _AT:
        path = (*path, *context["path"])
        value = _value_at(item["input"], context["path"])
        return Problem(path, context["wrong"], value=None if is_secret(path) else value)
    if kind == "missing":
        return Problem(path, "is missing")
    value = None if is_secret(path) else given(item["input"])
    if kind == "extra_forbidden":
        return Problem(path, UNKNOWN, _known_instead(path, model), value)
    if kind == "value_error":
        return Problem(path, item["msg"].removeprefix("Value error, "), value=value)
    expected = _EXPECTED.get(kind)
    if expected is None:
        return Problem(path, item["msg"], value=value)
    got = "" if value is None else f", got {_size(kind, context) or value}"
    bounds = {k: f"{v:g}" if isinstance(v, float) else v for k, v in context.items()}
    wrong = f"expected {expected.format(**bounds)}{got}"
    return Problem(path, wrong, _instead(kind, context, item["input"]), value)


def _size(kind: str, context: Mapping[str, Any]) -> str | None:
    return str(context["actual_length"]) if kind in ("too_long", "too_short") else None


def _instead(kind: str, context: Mapping[str, Any], value: object) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if kind in ("enum", "literal_error") and isinstance(value, str):
        return did_you_mean(value, re.findall(r"'([^']*)'", context["expected"]))
    return ""


def _value_at(value: Any, path: Sequence[str | int]) -> str | None:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return given(value)


def _known_instead(path: Path, model: type[BaseModel]) -> str:
    for each in _models_at(model, path[:-1]):
        if told := getattr(each, "SAID_ELSEWHERE", {}).get(path[-1]):
            return str(told)
    names = known_names(model, path[:-1])
    guess = did_you_mean(str(path[-1]), names)
    if guess or not names:
        return guess
    more = ", …" if len(names) > NAMES_SHOWN_MAX else ""
    return f"known are {', '.join(names[:NAMES_SHOWN_MAX])}{more}"


def known_names(model: type[BaseModel], path: Path) -> list[str]:
    """The fields that may stand in the mapping at ``path`` of a document of ``model``."""
    fields = [name for each in _models_at(model, path) for name in each.model_fields]
    return list(dict.fromkeys(fields))


def _models_at(model: type[BaseModel], path: Path) -> list[type[BaseModel]]:
    kinds: list[Any] = [model]
    for part in path:
        kinds = [inner for each in kinds for inner in _inside(each, part)]
    return [each for each in kinds if _is_model(each)]


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    """The types that a value at ``part`` of a value of type ``kind`` may have."""
    if _is_model(kind):
        field = kind.model_fields.get(part)
        yield from _plain(field.annotation) if field is not None else ()
    elif get_origin(kind) is dict:
        yield from _plain(get_args(kind)[1])
    elif get_origin(kind) in (list, tuple, set, frozenset):
        yield from _plain(get_args(kind)[0])


def _plain(annotation: Any) -> Iterator[Any]:
    """The types of a union, without what annotates them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for each in get_args(annotation):
            yield from _plain(each)
    else:
        yield annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
