"""What is passed over without a look is nothing that could be a digit or an ASCII letter."""

from __future__ import annotations

import re
import sys
import unicodedata

from runtime.detect.normal_form import INVISIBLE, ORDINARY, normal_form, plain_separators

CHARS = [chr(code) for code in range(0x80, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


def is_of_ascii(char: str) -> bool:
    form = unicodedata.normalize("NFKC", char)
    return any(each.isascii() and each.isalnum() for each in form) or form in "@._%"


def test_ordinary_characters_are_no_others_in_disguise() -> None:
    ordinary, invisible = re.compile(f"[{ORDINARY}]"), re.compile(f"[{INVISIBLE}]")
    passed_over = [char for char in CHARS if ordinary.match(char)]
    assert len(passed_over) > 40_000
    assert [
        char for char in passed_over if char.isdigit() or is_of_ascii(char) or invisible.match(char)
    ] == []


def test_every_decimal_digit_of_unicode_is_one_of_ascii() -> None:
    digits = [char for char in CHARS if char.isdecimal()]
    assert len(digits) > 600
    assert normal_form("".join(digits)) == "".join(str(unicodedata.decimal(d)) for d in digits)


def test_every_space_and_dash_of_unicode_is_one_of_ascii() -> None:
    for category, plain in (("Zs", " "), ("Pd", "-"), ("Cf", ""), ("Me", "")):
        found = [char for char in CHARS if unicodedata.category(char) == category]
        assert [char for char in found if plain_separators(f"1{char}2") != f"1{plain}2"] == []
