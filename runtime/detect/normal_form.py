"""One form for what looks alike: full-width digits, digits of other scripts, Han digits, dashes of
all kinds, and characters that nobody sees."""

from __future__ import annotations

import re
import unicodedata

_HAN_DIGITS = dict(zip("零〇○一二三四五六七八九", "000123456789", strict=True))
_HAN = "".join(_HAN_DIGITS)
# Fewer in a row are words; a number that is spelled has no tens or hundreds in it.
_HAN_NUMBER = re.compile(f"[{_HAN}](?:[ -]?[{_HAN}]){{7,}}")
_INVISIBLE = "\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff\u20e3"
_DASHES = "\u2010-\u2015\u2212\u00b7\u2022\u30fb"
_ODD = re.compile(rf"[{_INVISIBLE}{_DASHES}]|(?![0-9])\d")
_DASH = re.compile(f"[{_DASHES}]")


_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")  # in arguments and results that are JSON


def normal_form(text: str) -> str:
    """The text as the patterns expect it. Its length may change: no position outlives this."""
    if "\\u" in text:
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    if text.isascii():
        return text
    text = _ODD.sub(_plain, unicodedata.normalize("NFKC", text))
    return _HAN_NUMBER.sub(_digits, text)


def _plain(found: re.Match[str]) -> str:
    char = found[0]
    if char.isdigit():
        return str(unicodedata.digit(char))
    return "-" if _DASH.match(char) else ""


def _digits(found: re.Match[str]) -> str:
    return "".join(_HAN_DIGITS.get(char, char) for char in found[0])
