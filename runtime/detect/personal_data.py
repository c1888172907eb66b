"""Personal data in the text of a request: identity numbers, cards, phones, e-mail, plates, homes.

It says which kinds there are, never the values, and ends at the first window that holds one. Where
a bound ends the search, the finding is incomplete, and counts as personal data: in doubt, protect.
Names and free descriptions of people are beyond a table of patterns: that is what a tag is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from runtime.detect.email_addresses import has_email_address
from runtime.detect.ids_of_digits import Budget, OutOfBounds, number_kind
from runtime.detect.ids_with_letters import lettered_kind
from runtime.detect.normal_form import normal_form, plain_separators
from runtime.detect.other_writings import of_tags, other_writings
from runtime.detect.said_numbers import said_kind

DETECTOR_VERSION = "2026-11-30.3"
CHARS_MAX = 4_000_000
LOOKS_MAX = 100_000  # numbers whose digits were checked

_CONTEXT = 40  # characters before and after digits, for words and letters that belong to them
_BLANK = " \t\r\n-.,"
_JOINT = 64  # characters on each side of where two parts meet
# Where digits are at all, so that nothing else is searched; separators of any kind, few of them.
_CLUSTER = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,6}[0-9]){5,}")
_UUID = re.compile(
    r"[0-9a-fA-F](?<![0-9A-Za-z].)[0-9a-fA-F]{7}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])",
    re.S,
)
_PHONE = re.compile(
    r"(?<![0-9A-Za-z)\]=])\+[ (]{0,2}[1-9](?:[ \-().]{0,2}[0-9]){7,14}(?![0-9A-Za-z])"
)
_PLATE = re.compile(
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
    "[A-HJ-NP-Z][-· •]?(?=[A-HJ-NP-Z0-9]{0,5}[0-9])[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳]"
    "(?![0-9A-Za-z])"
)
_HOME = re.compile(
    "[路街道巷弄室楼单](?:"
    "(?<=[路街道巷弄])(?:[0-9]{1,5}|[一二三四五六七八九十百零〇]{1,6})[号號弄]"
    "|(?<=[0-9]室)|(?<=[0-9]楼)[0-9]|(?<=[0-9]单)元)"
)
_PLACE = re.compile("[省市区區县縣镇]")


@dataclass(frozen=True, slots=True)
class Finding:
    """``kinds`` are names such as "cn_resident_id"; ``is_complete`` says that all was looked at."""

    kinds: frozenset[str]
    is_complete: bool = True

    @property
    def is_personal(self) -> bool:
        return bool(self.kinds) or not self.is_complete


NOTHING = Finding(frozenset())
INCOMPLETE = Finding(frozenset(), is_complete=False)


def find_personal_data(texts: Iterable[str]) -> Finding:
    """Looks through all text of one request, in its order; what is split over two of them is found,
    too."""
    parts = [text for text in texts if text]
    if sum(map(len, parts)) > CHARS_MAX:
        return INCOMPLETE
    budget = Budget(LOOKS_MAX)
    try:
        for text in [*parts, *_joints(parts)]:
            for reading in _readings(text):
                if kinds := _kinds(reading, budget):
                    return Finding(frozenset(kinds))
    except OutOfBounds:
        return INCOMPLETE
    return NOTHING


def _readings(text: str) -> Iterator[str]:
    """In one form, and what it says in another writing."""
    plain = normal_form(text)
    yield plain
    for other in chain(other_writings(plain), of_tags(text)):
        yield normal_form(other)


def _joints(parts: Sequence[str]) -> Iterator[str]:
    """Around where one part ends and the next begins: as if nothing were between them, and as if
    something were, but within a row of digits. Then of each part with the next but one: somebody
    answered between two halves of a number."""
    for glue in (_nothing, _digits_only) if len(parts) > 1 else ():
        whole = parts[0]
        ends = []
        for before, after in pairwise(parts):
            ends.append(len(whole))
            whole += glue(before, after) + after
        yield "\n\n\n".join(whole[max(0, end - _JOINT) : end + _JOINT] for end in ends)
    pairs = zip(parts, parts[2:], strict=False)
    halves = [(before.rstrip(_BLANK), after.lstrip(_BLANK)) for before, after in pairs]
    across = [
        before[-_JOINT:] + after[:_JOINT]
        for before, after in halves
        if before[-1:].isdigit() and after[:1].isdigit()
    ]
    if across:
        yield "\n\n\n".join(across)


def _nothing(before: str, after: str) -> str:
    return ""


def _digits_only(before: str, after: str) -> str:
    return "" if before[-1].isdigit() and after[0].isdigit() else "\n"


def _kinds(text: str, budget: Budget) -> set[str]:
    kinds = set()
    if has_email_address(text):
        kinds.add("email")
    if not text.isascii():
        if _PLATE.search(text):
            kinds.add("cn_plate")
        if (home := _HOME.search(text)) and _PLACE.search(text, max(0, home.start() - _CONTEXT)):
            kinds.add("address")
    found = (_kind_in(window, budget) for window in _windows(text))
    kinds.update(kind for kind in islice(filter(None, found), 1))
    return kinds


def _windows(text: str) -> Iterator[str]:
    """The surroundings of digits, each character of the text in one of them at most."""
    start, end = 0, 0
    for cluster in _CLUSTER.finditer(text):
        if cluster.start() - _CONTEXT > end:
            if end:
                yield text[start:end]
            start = max(0, cluster.start() - _CONTEXT)
        end = cluster.end() + _CONTEXT
    if end:
        yield text[start:end]


def _kind_in(window: str, budget: Budget) -> str | None:
    """Of the digits in it, with the words and letters around them."""
    window = _UUID.sub(" ", plain_separators(window))
    if kind := number_kind(window, budget) or lettered_kind(window):
        return kind
    if "+" in window and _PHONE.search(window):
        return "phone"
    return said_kind(window)
