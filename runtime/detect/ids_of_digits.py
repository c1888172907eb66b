"""Rows of digits in a text that may be somebody's number, and what each is.

A number stands there whole; or apart as people write it; or apart in any way, with no other digit
near it. One that is surely what it seems, by a date and a check digit, is found among others.

Each pattern begins with a set of characters and looks back only after one of them, so that what
cannot be a number costs next to nothing; and what it reads from there has a bound.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from runtime.detect.check_digits import cn_resident_id
from runtime.detect.id_kinds import DIGITS_MAX, DIGITS_MIN, WHOLE, Kind, partings, whole_kind

_GAP = r"[^0-9A-Za-z]{0,3}+"  # between two digits of a number that is surely one
_ROW_GAP = r"[ \t\r\n\-]{1,3}"  # of any other: versions and dates have dots and strokes
_PART_GAP = r"[ \t\r\n.\-/_()*`:杠]{1,4}"  # between two of its parts
_FIRST = r"[0-9](?<![0-9A-Za-z].)"  # no digit and no letter is before it
_END = r"(?![0-9A-Za-z])"
_NOT_DECIMALS = r"(?<![0-9]\..)"
_WHOLE = re.compile(
    rf"{_FIRST}{_NOT_DECIMALS}[0-9]{{{DIGITS_MIN - 1},{DIGITS_MAX - 1}}}{_END}", re.S
)
_ROW = re.compile(
    rf"{_FIRST}{_NOT_DECIMALS}(?=[0-9 \t\r\n\-]{{{DIGITS_MIN}}})"
    rf"[0-9]*(?:{_ROW_GAP}[0-9]+)+{_END}(?!\.[0-9])",
    re.S,
)
_ROW_CHARS_MAX = 3 * DIGITS_MAX
# Parts with the same sign between all of them, of any kind but those of lists and of reckoning.
_SAME_GAP = r"[^0-9A-Za-z\r\n,;+=<>^%&]{1,6}+|[\"'][,+ ]{0,4}[\"']"
_SIGNED = re.compile(
    rf"{_FIRST}[0-9]{{0,5}}+(?P<gap>{_SAME_GAP})[0-9]{{1,13}}(?:(?P=gap)[0-9]{{1,13}})+{_END}",
    re.S,
)
_MOBILE_AFTER_LETTERS = re.compile(rf"1(?:(?<=[G-Zg-z]1)|(?<=[Ii][Dd]1))[3-9][0-9]{{9}}{_END}")
_NEAR_BEFORE = re.compile(r"[0-9][ \t.\-/_,]{1,3}$")
_NEAR_AFTER = re.compile(r"[ \t.\-/_,]{1,3}[0-9]")
_LINE_BEFORE = re.compile(r"[0-9][ \t.,]?\r?\n[ \t]{0,3}$")
_LINE_AFTER = re.compile(r"[ \t.,]?\r?\n[ \t]{0,3}[0-9]")
_YEAR, _MONTH, _DAY = ("[12]", "[089]", "[0-9]", "[0-9]"), ("[01]", "[0-9]"), ("[0-3]", "[0-9]")
_ID_AFTER_ITS_FIRST = (*["[0-9]"] * 5, *_YEAR, *_MONTH, *_DAY, *["[0-9]"] * 3, "[0-9Xx]")
# Letters may touch it, as in "ID110105...".
_CN_RESIDENT_ID = re.compile(
    "([1-8])(?<![0-9].)(?=((?:"
    + ")(?:".join(_GAP + each for each in _ID_AFTER_ITS_FIRST)
    + "))(?![0-9]))",
    re.S,
)
_PARTINGS = partings()
_PARTS_MAX = max(map(len, _PARTINGS))


def _any_of(ways: Collection[tuple[int, ...]]) -> str:
    """A pattern of all these ways to part a number; what several begin with is read once."""
    after: dict[int, list[tuple[int, ...]]] = {}
    for size, *others in ways:
        after.setdefault(size, []).append(tuple(others))
    ends = []
    for size, rests in after.items():
        longer = [rest for rest in rests if rest]
        more = [_PART_GAP + _any_of(longer)] if longer else []
        ends.append(f"[0-9]{{{size}}}(?:" + "|".join(more + [_END] * (() in rests)) + ")")
    return "(?:" + "|".join(ends) + ")"


_PARTED = re.compile(
    _FIRST + "(?=" + _any_of([(size - 1, *others) for size, *others in _PARTINGS]) + ")", re.S
)
_PARTS = re.compile(rf"[0-9]+(?:{_PART_GAP}[0-9]+){{1,{_PARTS_MAX - 1}}}")
_PART = re.compile("[0-9]+")


class OutOfBounds(Exception):
    """So much was looked at that nobody waits for the rest."""


class Budget:
    """How many numbers may still be looked at."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OutOfBounds


def number_kind(window: str, budget: Budget) -> str | None:
    """The name of the first kind of number that is in it."""
    for found in _CN_RESIDENT_ID.finditer(window):
        budget.spend()
        if cn_resident_id(_digits(found[1] + found[2])):
            return "cn_resident_id"
    for row in _rows(window):
        budget.spend()
        if kind := whole_kind(row):
            return kind
    for row, kinds in _signed(window):
        budget.spend()
        for each in kinds:
            if each.checks(row):
                return each.name
    for found in _PARTED.finditer(window):
        budget.spend()
        if kind := _parted_kind(window, found.start()):
            return kind
    return "phone" if _MOBILE_AFTER_LETTERS.search(window) else None


def _rows(window: str) -> Iterator[str]:
    """The digits of numbers that are whole, or stand by themselves."""
    for whole in _WHOLE.finditer(window):
        yield whole[0]
    for row in _ROW.finditer(window):
        if DIGITS_MIN <= row.end() - row.start() <= _ROW_CHARS_MAX:
            digits = _digits(row[0])
            if DIGITS_MIN <= len(digits) <= DIGITS_MAX and not _is_of_table(window, *row.span()):
                yield digits


def _signed(window: str) -> Iterator[tuple[str, list[Kind]]]:
    """The digits of numbers that stand by themselves with one sign between all their parts, and
    what they can be; of lists, as in "1988年、1992年、1996年", only what few numbers can be."""
    for found in _SIGNED.finditer(window):
        parts, gap = _PART.findall(found[0]), found["gap"]
        before = window[max(0, found.start() - len(gap) - 1) : found.start()]
        if before.endswith(gap) and before[0].isdigit():
            continue
        sizes = tuple(map(len, parts))
        is_apart = len(sizes) == sum(sizes) and "|" not in gap
        kinds = WHOLE.get(len(sizes), ()) if is_apart else _PARTINGS.get(sizes, ())
        is_list = any(char in ",、" or char.isalpha() for char in gap)
        yield "".join(parts), [kind for kind in kinds if not (is_list and kind.is_weak)]


def _parted_kind(window: str, start: int) -> str | None:
    """Of the parts from ``start`` on: of as many as make the longest number."""
    found = _PARTS.match(window, start)
    parts = _PART.findall(found[0]) if found else []
    sizes = tuple(map(len, parts))
    for count in range(len(parts), 1, -1):
        digits = ""
        for kind in _PARTINGS.get(sizes[:count], ()):
            digits = digits or "".join(parts[:count])
            if kind.checks(digits) and _stands_apart(kind, window, start, count):
                return kind.name
    return None


def _stands_apart(kind: Kind, window: str, start: int, parts: int) -> bool:
    """Of the number of so many parts that begins at ``start``."""
    end = start
    for part, _ in zip(_PART.finditer(window, start), range(parts), strict=False):
        end = part.end()
    if kind.is_common and _is_near_digits(window, start, end):
        return False
    return not _is_of_table(window, start, end)


def _is_near_digits(window: str, start: int, end: int) -> bool:
    """Years, tables and matrices: a few numbers of a long row are nobody's."""
    is_after_some = _NEAR_BEFORE.search(window, max(0, start - 4), start)
    return bool(is_after_some or _NEAR_AFTER.match(window, end))


def _is_of_table(window: str, start: int, end: int) -> bool:
    """Its lines are those of a table: there are more digits in them."""
    return "\n" in window[start:end] and (
        _is_near_digits(window, start, end)
        or _LINE_BEFORE.search(window, max(0, start - 7), start) is not None
        or _LINE_AFTER.match(window, end) is not None
    )


def _digits(row: str) -> str:
    return "".join(char for char in row.upper() if char.isascii() and char.isalnum())
