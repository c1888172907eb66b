"""Personal data in the text of a request: identity numbers, cards, phones, e-mail, plates, homes.

It says which kinds there are, never the values, and ends at the first window that holds one. Where
a bound ends the search, the finding is incomplete, and counts as personal data: in doubt, protect.
Names and free descriptions of people are beyond a table of patterns: that is what a tag is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runtime.detect.ids_of_digits import Budget, OutOfBounds, number_kind
from runtime.detect.ids_with_letters import lettered_kind
from runtime.detect.normal_form import normal_form

DETECTOR_VERSION = "2026-11-30.2"
CHARS_MAX = 4_000_000
LOOKS_MAX = 200_000  # numbers whose digits were checked

_CONTEXT = 40  # characters before and after digits, for words and letters that belong to them
_JOINT = 64  # characters on each side of where two parts meet
# Where digits are at all, so that nothing else is searched; separators of any kind, few of them.
_CLUSTER = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){5,}")
# The domain may be of any script.
_EMAIL = re.compile(r"[\w.+%-](?<!\bgit)@[^\W_](?:[\w-]{0,62}\.)+[^\W\d_]{2}")
_SPELLED_EMAIL = re.compile(
    r"(?i)[\[({<] ?at ?[\])}>] ?[\w-]{1,63}(?:\.| ?[\[({<] ?(?:dot|\.) ?[\])}>] ?)[^\W\d_]{2}"
)
_PHONE = re.compile(
    r"(?<![0-9A-Za-z)\]=])\+[ (]{0,2}[1-9](?:[ \-().]{0,2}[0-9]){7,14}(?![0-9A-Za-z])"
)
_SAID_PHONE = re.compile(
    r"(?i)(?:\b(?:phone|tel|telephone|mobile|whatsapp|hotline|telefon|telepon|hp|sđt|vx|wx)"
    r"(?![A-Za-z])"
    r"|电话|電話|手机|手機|联系方式|聯絡|携帯|전화|điện thoại)"
    r"[^0-9A-Za-z\n]{0,12}[+(]{0,2}[0-9](?:[ \-()]{0,2}[0-9]){6,13}(?![0-9A-Za-z])"
)
_SAID_NUMBER = re.compile(
    r"(?i)(?:passport|护照|護照|旅券|여권|hộ chiếu|paspor)(?: ?(?:no|number|号|號|番号)?)?"
    r"[^0-9A-Za-z\n]{0,8}(?:is |为|是)?[A-Z]{0,2}[0-9]{6,9}(?![0-9A-Za-z])"
    r"|(?:身份证|身分證|社会安全|social security|\bssn\b)[^0-9A-Za-z\n]{0,12}"
    r"[0-9](?:[ -]?[0-9]){8,17}"
)
_PLATE = re.compile(
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
    "[A-HJ-NP-Z][- ]?(?=[A-HJ-NP-Z0-9]{0,5}[0-9])[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳]"
    "(?![0-9A-Za-z])"
)
_HOME = re.compile(
    "(?:路|街|道|巷|弄)(?:[0-9]{1,5}|[一二三四五六七八九十百零〇]{1,6})(?:号|號|弄)"
    "|[0-9]{1,4}(?:室|楼[0-9]{1,4}|单元)"
)
_PLACE = re.compile("(?:省|市|区|區|县|縣|镇)")


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
    """Of all text of one request, in its order; what is split over two of them is found, too."""
    parts = [text for text in texts if text]
    if sum(map(len, parts)) > CHARS_MAX:
        return INCOMPLETE
    budget = Budget(LOOKS_MAX)
    try:
        for text in [*parts, *_joints(parts)]:
            if kinds := _kinds(normal_form(text), budget):
                return Finding(frozenset(kinds))
    except OutOfBounds:
        return INCOMPLETE
    return NOTHING


def _joints(parts: Sequence[str]) -> Iterator[str]:
    """Around where one part ends and the next begins: as if nothing were between them, and as if
    something were, but within a row of digits."""
    for glue in (_nothing, _digits_only) if len(parts) > 1 else ():
        whole = parts[0]
        ends = []
        for before, after in pairwise(parts):
            ends.append(len(whole))
            whole += glue(before, after) + after
        yield "\n\n\n".join(whole[max(0, end - _JOINT) : end + _JOINT] for end in ends)


def _nothing(before: str, after: str) -> str:
    return ""


def _digits_only(before: str, after: str) -> str:
    return "" if before[-1].isdigit() and after[0].isdigit() else "\n"


def _kinds(text: str, budget: Budget) -> set[str]:
    kinds = set()
    if ("@" in text and _EMAIL.search(text)) or _SPELLED_EMAIL.search(text):
        kinds.add("email")
    if not text.isascii():
        if _PLATE.search(text):
            kinds.add("cn_plate")
        if (home := _HOME.search(text)) and _PLACE.search(text, max(0, home.start() - _CONTEXT)):
            kinds.add("address")
    for cluster in _CLUSTER.finditer(text):
        kind = _kind_in(text, cluster.start(), cluster.end(), budget)
        if kind is not None:
            kinds.add(kind)
            break
    return kinds


def _kind_in(text: str, start: int, end: int, budget: Budget) -> str | None:
    """Of the digits from ``start`` to ``end``, with the words and letters around them."""
    window = text[max(0, start - _CONTEXT) : end + _CONTEXT]
    if kind := number_kind(window, budget) or lettered_kind(window):
        return kind
    if ("+" in window and _PHONE.search(window)) or _SAID_PHONE.search(window):
        return "phone"
    return "document_number" if _SAID_NUMBER.search(window) else None
