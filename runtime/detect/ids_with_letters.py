"""Identity numbers that have letters in them: Hong Kong, Singapore, Taiwan, and bank accounts."""

from __future__ import annotations

import re
from collections.abc import Callable

from runtime.detect.check_digits import (
    hk_identity_card,
    iban,
    sg_identity_number,
    tw_identity_number,
)

_GAP = "[ -]{0,2}"
_FIRST = "([A-Za-z])(?<![0-9A-Za-z].)"  # no digit and no letter is before it
_LETTERED = re.compile(
    rf"{_FIRST}(?=([A-Za-z]?{_GAP}[0-9](?:{_GAP}[0-9]){{5,8}}{_GAP}\(?[0-9A-Za-z]?\)?)(?![0-9A-Za-z]))",
    re.S,
)
_IBAN = re.compile(
    rf"{_FIRST}(?=([A-Za-z][0-9]{{2}}(?:[ .\-/_]{{0,2}}[0-9A-Za-z]){{11,30}}))", re.S
)
_SHAPES: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("hk_id", re.compile(r"[A-Z]{1,2}[0-9]{6}[0-9A]"), hk_identity_card),
    ("sg_nric", re.compile(r"[STFGM][0-9]{7}[A-Z]"), sg_identity_number),
    ("tw_id", re.compile(r"[A-Z][1289][0-9]{8}"), tw_identity_number),
)
# Characters of an IBAN by country: the registry of ISO 13616, release of 2024.
IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FO", "FI", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "XK", "MN"), 20),
    **dict.fromkeys(("CR", "HR", "LI", "LV", "CH"), 21),
    **dict.fromkeys(("BH", "BG", "GE", "DE", "IE", "ME", "RS", "GB", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "TL", "OM", "SO"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SK", "SE", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM", "BI", "DJ"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "SV", "GT", "HU", "LB", "NI", "PL"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
}
_PUNCTUATION = str.maketrans("", "", " -()./_")


def lettered_kind(window: str) -> str | None:
    """The name of the first such number in it."""
    for found in _LETTERED.finditer(window):
        number = (found[1] + found[2]).translate(_PUNCTUATION).upper()
        for name, shape, checks in _SHAPES:
            if shape.fullmatch(number) and checks(number):
                return name
    for found in _IBAN.finditer(window):
        number = (found[1] + found[2]).translate(_PUNCTUATION).upper()
        length = IBAN_LENGTHS.get(number[:2])
        if length is not None and len(number) >= length and iban(number[:length]):
            return "iban"
    return None
