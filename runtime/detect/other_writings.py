"""What a text says in a second writing, that a model reads all the same: base64, digits as words,
letters that look like digits, characters of tags.

Each is found at the price of one pass over the text, and is a short text of its own to search.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from runtime.detect.normal_form import ODD

_BASE64_CHARS = "[A-Za-z0-9+/_-]"
# Of a phone number alone it has 15; e-mail wraps its lines.
_BASE64 = re.compile(f"{_BASE64_CHARS}{{15,}}(?:\r?\n{_BASE64_CHARS}{{15,}})*")
_URL_SAFE = str.maketrans("-_", "+/", "\r\n")
_TEXT_SHARE_MIN = 0.9  # a piece may end within a character

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine",
    "oh yi er san si wu liu qi ba jiu",
    "o yao dua tiga empat lima enam tujuh lapan sembilan",
    "ling satu dua tiga empat lima enam tujuh delapan sembilan",
    "kosong satu dua tiga empat lima enam tujuh delapan sembilan",
    "nol satu dua tiga empat lima enam tujuh delapan sembilan",
    "sifar satu dua tiga empat lima enam tujuh lapan sembilan",
    "ゼロ いち に さん よん ご ろく なな はち きゅう",
    "れい いち に さん し ご ろく しち はち く",
)
_DIGIT_OF = {word: str(at) for row in _NUMBER_WORDS for at, word in enumerate(row.split())}
_DIGIT_OF |= {"double": "D", "triple": "T", "x": "X"}
_VIETNAMESE = "không một hai ba bốn năm sáu bảy tám chín".split()  # "ba" is eight in Chinese
_VIETNAMESE_DIGIT_OF = {word: str(at) for at, word in enumerate(_VIETNAMESE)}
_BETWEEN_WORDS = ",.-/"
_SPELLED = re.compile("[0-9DT]{7,24}X?")
_REPEATED = re.compile("([DT])([0-9])")

_ZEROS, _ONES = "Oo\u039f\u03bf\u041e\u043e", "Il\u0406\u0456\u04cf"
_LETTERS = _ZEROS + _ONES + "\u0417\u0437\u0431"
_LOOKALIKES = str.maketrans(_LETTERS, "0" * len(_ZEROS) + "1" * len(_ONES) + "336")
_ALIKE = f"[0-9{_LETTERS}]"
_MISTYPED = re.compile(rf"{_ALIKE}(?<!\w.)(?:[ -]?{_ALIKE}){{10,22}}(?!\w)", re.S)
_IS_MISTYPED = re.compile(rf"[{_LETTERS}](?:(?<=[0-9].)|(?=[0-9]))", re.S)
_DIGIT = re.compile("[0-9]")
_TRUE_DIGITS_MIN = 0.4

_TAGS = re.compile("[\U000e0020-\U000e007e]{6,}")  # shown by nothing, read by a model


def other_writings(text: str) -> Iterator[str]:
    """``text`` is in its normal form."""
    yield from _from_base64(text)
    yield from _spelled(text)
    if _IS_MISTYPED.search(text):
        yield from _mistyped(text)


def of_tags(text: str) -> Iterator[str]:
    """What is written in characters of tags; ``text`` is as it came."""
    if not text.isascii() and ODD.search(text):
        for found in _TAGS.finditer(text):
            yield "".join(chr(ord(char) - 0xE0000) for char in found[0])


def _from_base64(text: str) -> Iterator[str]:
    for found in _BASE64.finditer(text):
        code = found[0].translate(_URL_SAFE)
        raw = base64.b64decode(code[: len(code) // 4 * 4] + _rest(len(code) % 4, code))
        try:
            yield raw.decode()
        except UnicodeDecodeError as error:
            if error.start >= _TEXT_SHARE_MIN * len(raw):
                yield raw[: error.start].decode()


def _rest(chars: int, code: str) -> str:
    return code[-chars:] + "=" * (4 - chars) if chars > 1 else ""


def _mistyped(text: str) -> Iterator[str]:
    for found in _MISTYPED.finditer(text):
        row = found[0]
        if not row.isdigit() and len(_DIGIT.findall(row)) >= _TRUE_DIGITS_MIN * len(row):
            yield row.translate(_LOOKALIKES)


def _spelled(text: str) -> Iterator[str]:
    for sign in _BETWEEN_WORDS:
        text = text.replace(sign, " ")
    words = text.lower().split()
    for digit_of in (_DIGIT_OF,) if text.isascii() else (_DIGIT_OF, _VIETNAMESE_DIGIT_OF):
        digits = "".join([digit_of.get(word, " ") for word in words])
        for found in _SPELLED.finditer(digits):
            yield _REPEATED.sub(lambda pair: pair[2] * (2 if pair[1] == "D" else 3), found[0])
