"""One form for what looks alike: full-width digits, digits of other scripts, Han digits, dashes of
all kinds, and characters that nobody sees.

The whole text is brought only as near to it as is needed to see where numbers, addresses and plates
may be; what stands around digits is then brought all the way.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from runtime.detect.decoded import decoded

_HAN_DIGITS = dict(
    zip(
        "零〇○一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖幺洞拐勾两兩弌弍弎공영일이삼사오육칠팔구",
        "00012345678912233456678910792212300123456789",
        strict=True,
    )
)
_HAN = "".join(_HAN_DIGITS)
# Fewer in a row are words; a number that is spelled has no tens or hundreds in it, and may be in
# figures for a part.
_HAN_GAP = "[ \t\u3000\\-\u2010-\u2015\u00b7,\uff0c\u3001.]"
_HAN_NUMBER = re.compile(f"[{_HAN}0-9](?:{_HAN_GAP}{{0,2}}[{_HAN}0-9]){{7,}}")
_NUMBER_DIGITS_MAX = 19
_ASCII = frozenset("0123456789")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Without a form of their own: joiners, marks on other characters, directions, fillers, tags.
INVISIBLE = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u0600-\u0605\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164"
    "\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef"
)
# Most of what people write, of which none is a digit, a letter of ASCII or unseen in any other
# form: all other characters are looked at one by one.
ORDINARY = (
    "\x00-\x7f\u00a0-\u00a9\u00ab\u00ac\u00ae-\u00b1\u00b4-\u00b8\u00bb\u00bf-\u0131\u0134-\u013e"
    "\u0141-\u0148\u014a-\u017e\u01a0\u01a1\u01af\u01b0\u0386-\u03d1\u0400-\u0482\u048a-\u052f"
    "\u05d0-\u05ea\u0620-\u065f\u0671-\u06d3\u0900-\u0965\u0e01-\u0e4f\u1ea0-\u1ef9"
    "\u2000-\u200a\u2010-\u2023\u2025-\u2029\u2030-\u205e\u20ac\u2190-\u2426\u2500-\u2775"
    "\u2794-\u2bff\u3000-\u3020\u302a-\u3163\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uff01-\uff04\uff06-\uff0d\uff0f\uff1a-\uff1f\uff3b-\uff3e\uff5b-\uff9f"
    "\U0001f300-\U0001f6ff\U0001f900-\U0001faff"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
ODD = re.compile(f"[^{ORDINARY}]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f\u4e00-\u9fff]")
_DASHES = frozenset("·˗᠆•⁃−─━➖⸺⸻〜〰・ーㅡ")  # more than Unicode calls so
_BLANK_BRAILLE = "\u2800"
_CROSSES = frozenset("×ΧχХх✕✖")  # that look as the letter X
_UNSEEN = ("Mn", "Me", "Cf", "Cc")


def normal_form(text: str) -> str:
    """The text with its digits and ASCII letters as such, and nothing unseen between them. Its
    length may change: no position outlives this."""
    text = decoded(text)
    if _CONTROL.search(text):
        text = _CONTROL.sub("", text)
    if text.isascii():
        return text
    if ODD.search(text):
        text = ODD.sub(_plain, unicodedata.normalize("NFC", text))
    return _HAN_NUMBER.sub(_digits, text)


def plain_separators(window: str) -> str:
    """The same with plain dashes, spaces and signs: for the surroundings of digits."""
    if window.isascii():
        return window
    return _BEYOND_ASCII.sub(_separator, unicodedata.normalize("NFKC", window))


def _plain(found: re.Match[str]) -> str:
    return plain_character(found[0])


@lru_cache(4_096)
def plain_character(char: str) -> str:
    """A digit, letters of ASCII, or nothing where it is unseen; else itself."""
    if _INVISIBLE.match(char):
        return ""
    value = unicodedata.numeric(char, -1.0)  # in circles and brackets, with a dot, of rods, Roman
    if unicodedata.category(char) in ("Nd", "Nl", "No") and value in range(10):
        return str(int(value))
    return unicodedata.normalize("NFKC", char)


def _separator(found: re.Match[str]) -> str:
    return _plain_separator(found[0])


@lru_cache(4_096)
def _plain_separator(char: str) -> str:
    category = unicodedata.category(char)
    if char in _DASHES or category == "Pd":
        return "-"
    if char in _CROSSES:
        return "X"
    if category in _UNSEEN:
        return ""
    return " " if category in ("Zs", "Zl", "Zp") or char == _BLANK_BRAILLE else char


def _digits(found: re.Match[str]) -> str:
    """Without what is between them, where they are one number and not mostly in figures."""
    row = found[0]
    digits = [_HAN_DIGITS.get(char, char) for char in row if char in _HAN_DIGITS or char in _ASCII]
    is_in_figures = sum(char in _ASCII for char in row) * 2 > len(digits)
    if is_in_figures or len(digits) > _NUMBER_DIGITS_MAX:
        return "".join(_HAN_DIGITS.get(char, char) for char in row)
    return "".join(digits)
