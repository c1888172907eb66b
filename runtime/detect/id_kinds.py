"""Which identity number a row of digits can be, by its length, its parts and its check digits.

A number with a strong check (a date and a check digit) is believed however it is spaced. One with a
weak check must stand by itself, or be parted as people part it: tables are full of digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.detect.check_digits import (
    cn_resident_id,
    is_short_date,
    jp_my_number,
    kr_birth_date,
    kr_resident_number,
    luhn,
)

_VN_PROVINCES = frozenset(
    """
    001 002 004 006 008 010 011 012 014 015 017 019 020 022 024 025 026 027 030 031 033 034 035
    036 037 038 040 042 044 045 046 048 049 051 052 054 056 058 060 062 064 066 067 068 070 072
    074 075 077 079 080 082 083 084 086 087 089 091 092 093 094 095 096
    """.split()
)
_MY_NO_PLACES = frozenset({"00", "17", "18", "19", "20", "69", "70", "73", "80", "81", "94", "95"})
_CARD_LENGTHS = {"34": 15, "37": 15, "36": 14, "38": 14, "30": 14}


@dataclass(frozen=True, slots=True)
class Kind:
    """``partings`` are the ways in which people write it: the digits of each part. Where it
    ``is_common``, one in a dozen or so of all rows of as many digits passes its checks."""

    name: str
    checks: Callable[[str], bool]
    partings: tuple[tuple[int, ...], ...] = ()
    is_common: bool = False

    @property
    def is_weak(self) -> bool:
        """Lists of years and of amounts pass for it."""
        return self.is_common or self in APART


def payment_card(digits: str) -> bool:
    is_of_no_scheme = digits[0] in "01789" or (digits[0] == "2" and not "2221" <= digits <= "2721")
    if is_of_no_scheme or not luhn(digits):
        return False
    length = len(digits)
    if digits[:2] in _CARD_LENGTHS:
        return length == _CARD_LENGTHS[digits[:2]]
    if digits[0] == "4":
        return length in (13, 16, 19)
    return length == 16 or digits[0] == "6"


def my_identity_card(digits: str) -> bool:
    return is_short_date(digits) and digits[6:8] not in _MY_NO_PLACES


def vn_citizen_id(digits: str) -> bool:
    return digits[:3] in _VN_PROVINCES and digits[3] in "0123"


def id_population_number(digits: str) -> bool:
    """The digits can be a population number of Indonesia: the day of birth of women has 40
    added."""
    if not ("11" <= digits[:2] <= "96" and digits[4:6] > "00"):
        return False
    day = int(digits[6:8])
    day -= 40 if day > 40 else 0
    return is_short_date(digits[10:12] + digits[8:10] + f"{day:02d}")


def us_social_security(digits: str) -> bool:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def cn_mobile(digits: str) -> bool:
    return digits[0] == "1" and digits[1] in "3456789"


def cn_mobile_abroad(digits: str) -> bool:
    return digits.startswith("86") and cn_mobile(digits[2:])


def cn_mobile_dialled_abroad(digits: str) -> bool:
    return digits.startswith("0086") and cn_mobile(digits[4:])


def jp_or_kr_mobile(digits: str) -> bool:
    return digits[:3] in ("010", "011", "070", "080", "090")


def tw_or_vn_mobile(digits: str) -> bool:
    return digits.startswith("09")


def id_mobile(digits: str) -> bool:
    return digits.startswith("08")


def my_mobile(digits: str) -> bool:
    return digits.startswith("01") and digits[2] != "0"


def north_american_phone(digits: str) -> bool:
    return digits[0] in "23456789" and digits[3] in "23456789" and digits[1:3] != "11"


_CARD_PARTS = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (6, 13), (4, 4, 4, 1))

# All in one piece, or apart in any way while no other digit is near; by the number of digits.
WHOLE: dict[int, tuple[Kind, ...]] = {
    11: (Kind("phone", cn_mobile, ((3, 4, 4),)),),
    12: (
        Kind("my_nric", my_identity_card, ((6, 2, 4),), is_common=True),
        Kind("vn_cccd", vn_citizen_id, ((3, 3, 3, 3), (4, 4, 4), (3, 3, 6)), is_common=True),
        Kind("jp_my_number", jp_my_number, ((4, 4, 4),), is_common=True),
    ),
    13: (
        Kind("kr_rrn", kr_resident_number),
        Kind("phone", cn_mobile_abroad, ((2, 11), (2, 3, 4, 4))),
    ),
    16: (
        Kind(
            "id_nik",
            id_population_number,
            ((4, 4, 4, 4), (6, 6, 4), (2, 2, 2, 6, 4)),
            is_common=True,
        ),
    ),
    15: (
        Kind(
            "phone", cn_mobile_dialled_abroad, ((2, 2, 11), (4, 11), (4, 3, 4, 4), (2, 2, 3, 4, 4))
        ),
    ),
    18: (
        Kind(
            "cn_resident_id",
            cn_resident_id,
            ((6, 8, 4), (6, 4, 4, 4), (4, 4, 4, 4, 2), (6, 6, 6), (3, 3, 3, 3, 3, 3)),
        ),
    ),
}
for _length in range(13, 20):
    _card = Kind("payment_card", payment_card, _CARD_PARTS)
    WHOLE[_length] = (*WHOLE.get(_length, ()), _card)

# Only apart as people write them: nine or ten digits in one piece are anything.
APART = (
    Kind("us_ssn", us_social_security, ((3, 2, 4),)),
    Kind("phone", north_american_phone, ((3, 3, 4),)),
    Kind("kr_rrn", kr_birth_date, ((6, 7),)),
    Kind("phone", jp_or_kr_mobile, ((3, 4, 4),)),
    Kind("phone", tw_or_vn_mobile, ((4, 3, 3),)),
    Kind("phone", id_mobile, ((4, 4, 4), (4, 4, 3), (4, 4, 5))),
    Kind("phone", my_mobile, ((3, 3, 4), (3, 4, 4))),
)
DIGITS_MIN, DIGITS_MAX = 11, 19


def whole_kind(digits: str) -> str | None:
    """The name of the first kind that a number by itself can be."""
    found = (kind.name for kind in WHOLE.get(len(digits), ()) if kind.checks(digits))
    return next(found, None)


def partings() -> dict[tuple[int, ...], list[Kind]]:
    """The partings of all kinds, the longest first."""
    by_parts: dict[tuple[int, ...], list[Kind]] = {}
    kinds = {kind.name + str(kind.partings): kind for each in WHOLE.values() for kind in each}
    for kind in (*kinds.values(), *APART):
        for parts in kind.partings:
            by_parts.setdefault(parts, []).append(kind)
    return dict(sorted(by_parts.items(), key=lambda each: -sum(each[0])))
