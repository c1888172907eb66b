"""One form for what looks alike: full-width digits, digits of other scripts, Han digits, dashes of
all kinds, and characters that nobody sees."""

from __future__ import annotations

import re
import unicodedata

from runtime.detect.decoded import decoded

_HAN_DIGITS = dict(
    zip(
        "零〇○一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖幺",
        "0001234567891223345667891",
        strict=True,
    )
)
_HAN = "".join(_HAN_DIGITS)
# Fewer in a row are words; a number that is spelled has no tens or hundreds in it, and may be in
# figures for a part.
_HAN_NUMBER = re.compile(f"[{_HAN}0-9](?:[ -]?[{_HAN}0-9]){{7,}}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Without a form of their own: joiners, marks on other characters, directions, fillers, tags.
_INVISIBLE = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u0600-\u0605\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164"
    "\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef"
)
_DASHES = (
    "\u00b7\u02d7\u1806\u2010-\u2015\u2022\u2043\u2212\u2500\u2501\u2796\u2e3a\u2e3b"
    "\u301c\u3030\u30fb\u30fc\u3161"
)
_ROUND = "\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792"  # dark digits
_CROSSES = "\u00d7\u03a7\u03c7\u0425\u0445\u2715\u2716"  # that look as the letter X
_ODD = re.compile(rf"[{_INVISIBLE}{_DASHES}{_ROUND}{_CROSSES}]|(?![0-9])\d")
_DASH = re.compile(f"[{_DASHES}]")
_CROSS = re.compile(f"[{_CROSSES}]")


def normal_form(text: str) -> str:
    """The text as the patterns expect it. Its length may change: no position outlives this."""
    text = decoded(text)
    if _CONTROL.search(text):
        text = _CONTROL.sub("", text)
    if text.isascii():
        return text
    text = _ODD.sub(_plain, unicodedata.normalize("NFKC", text))
    return _HAN_NUMBER.sub(_digits, text)


def _plain(found: re.Match[str]) -> str:
    char = found[0]
    if char.isdigit():
        return str(unicodedata.digit(char))
    if _DASH.match(char):
        return "-"
    return "X" if _CROSS.match(char) else ""


def _digits(found: re.Match[str]) -> str:
    return "".join(_HAN_DIGITS.get(char, char) for char in found[0])
