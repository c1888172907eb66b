"""Rows of digits in a text that may be somebody's number, and what each is.

A number stands there whole; or apart as people write it; or apart in any way, with no other digit
near it. One that is surely what it seems, by a date and a check digit, is found among others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runtime.detect.check_digits import cn_resident_id
from runtime.detect.id_kinds import DIGITS_MAX, DIGITS_MIN, partings, whole_kind

_ALONE = r"(?<![0-9A-Za-z])"
_END = r"(?![0-9A-Za-z])"
_GAP = r"[^0-9A-Za-z]{0,3}"  # between two digits of a number that is surely one
_ROW_GAP = r"[ \t\r\n\-]{0,3}"  # of any other: versions and dates have dots and strokes
_PART_GAP = r"[ \t.\-/_()*`:]{1,4}"  # between two of its parts
_NOT_DECIMALS = r"(?<![0-9]\.)"
_WHOLE = re.compile(rf"{_ALONE}{_NOT_DECIMALS}[0-9]{{{DIGITS_MIN},{DIGITS_MAX}}}{_END}")
_ROW = re.compile(rf"{_ALONE}[0-9](?:{_ROW_GAP}[0-9])*{_END}")


def _spaced(*digits: str) -> re.Pattern[str]:
    """Letters may touch it, as in "ID110105..."."""
    return re.compile(rf"(?<![0-9])(?=({_GAP.join(digits)})(?![0-9]))")


_ANY, _MONTH, _DAY = "[0-9]", ("[01]", "[0-9]"), ("[0-3]", "[0-9]")
_NEAR_BEFORE = re.compile(r"[0-9][ \t.\-/_,]{1,3}$")
_NEAR_AFTER = re.compile(r"[ \t.\-/_,]{1,3}[0-9]")
_CN_RESIDENT_ID = _spaced(
    *[_ANY] * 6, "[12]", "[089]", _ANY, _ANY, *_MONTH, *_DAY, *[_ANY] * 3, "[0-9Xx]"
)
_PARTINGS = [
    (re.compile(_PART_GAP.join(f"[0-9]{{{size}}}" for size in parts) + _END), kinds)
    for parts, kinds in partings().items()
]
_PARTED = re.compile(_ALONE + "(?=" + "|".join(each.pattern for each, _ in _PARTINGS) + ")")


class OutOfBounds(Exception):
    """So much was looked at that nobody waits for the rest."""


class Budget:
    """How many numbers may still be looked at."""

    def __init__(self, looks: int) -> None:
        self._left = looks

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise OutOfBounds


def number_kind(window: str, budget: Budget) -> str | None:
    """The name of the first kind of number that is in it."""
    for found in _CN_RESIDENT_ID.finditer(window):
        budget.spend()
        if cn_resident_id(_digits(found[1])):
            return "cn_resident_id"
    for row in _rows(window):
        budget.spend()
        if kind := whole_kind(row):
            return kind
    for found in _PARTED.finditer(window):
        budget.spend()
        if kind := _parted_kind(window, found.start()):
            return kind
    return None


def _rows(window: str) -> Iterator[str]:
    """The digits of numbers that are whole, or stand by themselves."""
    for whole in _WHOLE.finditer(window):
        yield whole[0]
    for row in _ROW.finditer(window):
        if DIGITS_MIN <= len(row[0]) <= 3 * DIGITS_MAX:
            digits = _digits(row[0])
            if digits != row[0] and DIGITS_MIN <= len(digits) <= DIGITS_MAX:
                yield digits


def _parted_kind(window: str, start: int) -> str | None:
    for pattern, kinds in _PARTINGS:
        if found := pattern.match(window, start):
            digits = _digits(found[0])
            for kind in kinds:
                if kind.checks(digits) and not (
                    kind.is_common and _is_near_digits(window, *found.span())
                ):
                    return kind.name
    return None


def _is_near_digits(window: str, start: int, end: int) -> bool:
    """Years, tables and matrices: a few numbers of a long row are nobody's."""
    is_after_some = _NEAR_BEFORE.search(window, max(0, start - 4), start)
    return bool(is_after_some or _NEAR_AFTER.match(window, end))


def _digits(row: str) -> str:
    return "".join(char for char in row.upper() if char.isalnum())
