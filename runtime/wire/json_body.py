"""A request body as a JSON object, or a BadRequest that says where it is not one.

Stricter than RFC 8259 asks: two readers of a lenient document can see two different requests,
so duplicate keys, NaN, Infinity and numbers beyond 64 bits are refused. Faster decoders, pydantic's
too, keep the last of two equal keys without a word.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, NoReturn

from runtime.errors import BadRequest, BodyTooLarge
from runtime.message_text import shown
from runtime.request_limits import LIMITS, refusals

# Matches from any quote on, closed or not: a search that failed would begin again at the next.
_TEXT = re.compile(rb'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)', re.DOTALL)
_CONTAINERS = (dict, list)  # exactly these are built, and a type is compared faster than tested


def decode(body: bytes) -> dict[str, Any]:
    if len(body) > LIMITS.body_bytes_max:
        refusals["body_bytes_max"] += 1
        raise BodyTooLarge(f"The body is larger than {LIMITS.body_bytes_max} bytes.")
    lists = body.count(b"[")
    _check_counts(body, lists)
    parts = _Parts()
    try:
        value = parts.built(body.decode())
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8 (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error.msg}, character {error.pos}.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # int() refuses numbers of thousands of digits
        raise _too_big() from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    # Brackets in texts count too: then the exact answer costs a walk, and is still exact.
    if parts.objects + lists > LIMITS.json_depth_max:
        _check_depth(value)
    return value


class _Parts:
    """Builds the costly parts of one document, and counts them."""

    __slots__ = ("floats", "members", "objects")

    def __init__(self) -> None:
        self.objects = 0
        self.members = 0
        self.floats = 0

    def built(self, text: str) -> Any:
        return json.loads(
            text,
            object_pairs_hook=self.an_object,
            parse_float=self.a_float,
            parse_constant=_refuse_constant,
        )

    def a_float(self, text: str) -> float:
        self.floats += 1
        if self.floats > LIMITS.json_floats_max:
            refusals["json_floats_max"] += 1
            raise BadRequest(f"The body has more than {LIMITS.json_floats_max} decimal numbers.")
        if len(text) > LIMITS.number_chars_max:
            refusals["number_chars_max"] += 1
            raise BadRequest(f"A number is longer than {LIMITS.number_chars_max} characters.")
        value = float(text)
        if not isfinite(value):
            raise _too_big()
        return value

    def an_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.objects += 1
        self.members += 1 + len(pairs)
        if self.members > LIMITS.json_members_max:
            refusals["json_members_max"] += 1
            raise BadRequest(f"The body has more than {LIMITS.json_members_max} keys.")
        if len(pairs) > LIMITS.object_keys_max:
            refusals["object_keys_max"] += 1
            raise BadRequest(f"An object has more than {LIMITS.object_keys_max} keys.")
        built = dict(pairs)
        if len(built) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    name = shown(key)
                    raise BadRequest(f"The key `{name}` appears twice in one object.", param=name)
                seen.add(key)
        return built


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not a JSON number.")


def _check_counts(body: bytes, lists: int) -> None:
    """Before anything is built: the decoder has no hook for lists. Marks in texts do not count.

    Most bodies are shorter than the marks that they may have: they need not be searched.
    """
    if lists > LIMITS.json_lists_max:
        _check_count(body, b"[", "json_lists_max", "lists")
    if len(body) > LIMITS.json_items_max and body.count(b",") > LIMITS.json_items_max:
        _check_count(body, b",", "json_items_max", "items")


def _check_count(body: bytes, mark: bytes, limit: str, noun: str) -> None:
    most = getattr(LIMITS, limit)
    if _TEXT.sub(b"", body).count(mark) > most:
        refusals[limit] += 1
        raise BadRequest(f"The body has more than {most} {noun}.")


def _check_depth(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(LIMITS.json_depth_max):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> BadRequest:
    refusals["json_depth_max"] += 1
    return BadRequest(f"The body is nested deeper than {LIMITS.json_depth_max} levels.")


def _too_big() -> BadRequest:
    refusals["integer_max"] += 1
    return BadRequest("The body has a number that does not fit 64 bits.")
