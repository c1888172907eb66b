"""Refuses a number that would make the arithmetic mean something else, and says what to give."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar

NUMBER_CHARS_MAX = 40
NUMBER_MAX = Decimal(10) ** 15

_T = TypeVar("_T")


class BadInput(ValueError):
    """An input that cannot be used, with what to do about it."""


def number(name: str, text: str | Decimal) -> Decimal:
    """What ``text`` stands for. Floats are not taken: they are not the number that was written."""
    if isinstance(text, str) and len(text) > NUMBER_CHARS_MAX:
        raise BadInput(f"{name} {text!r:.60}: longer than {NUMBER_CHARS_MAX} characters")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{name} {text!r:.60}: give a number, as in 0.28") from None
    if not value.is_finite() or abs(value) > NUMBER_MAX:
        raise BadInput(f"{name} {text!r:.60}: give a number of at most {NUMBER_MAX:.0e}")
    return value


def above_zero(name: str, text: str | Decimal) -> Decimal:
    value = number(name, text)
    if value <= 0:
        raise BadInput(f"{name} {value}: must be above 0")
    return value


def not_negative(name: str, text: str | Decimal) -> Decimal:
    value = number(name, text)
    if value < 0:
        raise BadInput(f"{name} {value}: cannot be negative")
    return value


def share(name: str, text: str | Decimal) -> Decimal:
    value = number(name, text)
    if not 0 <= value <= 1:
        raise BadInput(f"{name} {value}: must be a share from 0 to 1")
    return value


def whole(name: str, count: int, at_most: int) -> int:
    if not 1 <= count <= at_most:
        raise BadInput(f"{name} {count}: must be a whole number from 1 to {at_most}")
    return count


def priced(name: str, text: str | Decimal, units: Callable[[str | Decimal], _T]) -> _T:
    """The price in the units of ``models.money``, whose refusals say what is wrong but not of
    what."""
    try:
        return units(text)
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from None
