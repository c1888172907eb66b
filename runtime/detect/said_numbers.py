"""Numbers that a word before them tells: phones, passports and others that have no form of their
own."""

from __future__ import annotations

import re

_LATIN_PHONE_WORDS = (
    "phone", "tel", "telephone", "mobile", "whatsapp", "hotline", "telefon", "telepon", "hp", "sđt",
    "vx", "wx",
)  # fmt: skip
_PHONE_WORDS = ("电话", "電話", "手机", "手機", "联系方式", "聯絡", "携帯", "전화", "điện thoại")
_PASSPORT_WORDS = ("passport", "护照", "護照", "旅券", "여권", "hộ chiếu", "paspor")
_CARD_WORDS = ("身份证", "身分證", "社会安全", "social security", "ssn")
_PHONE = re.compile(
    rf"(?:\b(?:{'|'.join(_LATIN_PHONE_WORDS)})(?![a-z])|{'|'.join(_PHONE_WORDS)})"
    r"[^0-9a-z\n]{0,12}[+(]{0,2}[0-9](?:[ \-()]{0,2}[0-9]){6,13}(?![0-9a-z])"
)
_PASSPORT = re.compile(
    rf"(?:{'|'.join(_PASSPORT_WORDS)})(?: ?(?:no|number|号|號|番号)?)?"
    r"[^0-9a-z\n]{0,8}(?:is |为|是)?[a-z]{0,2}[0-9]{6,9}(?![0-9a-z])"
)
_CARD = re.compile(
    rf"(?:{'|'.join(_CARD_WORDS[:-1])}|\bssn\b)[^0-9a-z\n]{{0,12}}[0-9](?:[ -]?[0-9]){{8,17}}"
)
# Most texts have none of its words, and are asked for nothing else.
_SAID = (
    ("phone", (*_LATIN_PHONE_WORDS, *_PHONE_WORDS), _PHONE),
    ("document_number", _PASSPORT_WORDS, _PASSPORT),
    ("document_number", _CARD_WORDS, _CARD),
)


def said_kind(window: str) -> str | None:
    """The name of the first such number in it."""
    lowered = window.lower()
    for name, words, pattern in _SAID:
        if any(word in lowered for word in words) and pattern.search(lowered):
            return name
    return None
