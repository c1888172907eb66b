"""The check digits of identity numbers, each as its issuer publishes it.

Every function takes the number without separators, letters in capitals, of the right length.
"""

from __future__ import annotations

from datetime import date

_CN_WEIGHTS = tuple(2**power % 11 for power in range(17, 0, -1))
_CN_CHECK = "10X98765432"  # by the weighted sum modulo 11
_SG_WEIGHTS = (2, 7, 6, 5, 4, 3, 2)
_SG_CHECK = {
    "ST": "JZIHGFEDCBA",
    "FG": "XWUTRQPNMLK",
    "M": "XWUTRQPNJLK",
}
_SG_SHIFT = {"S": 0, "T": 4, "F": 0, "G": 4, "M": 3}
_TW_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # in the order of their codes, from 10
_KR_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_JP_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_LUHN_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def is_date(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def is_short_date(digits: str) -> bool:
    """YYMMDD, of the last century or of this one."""
    return is_date("20" + digits[:2], digits[2:4], digits[4:6]) or is_date(
        "19" + digits[:2], digits[2:4], digits[4:6]
    )


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, of payment cards."""
    backwards = digits.encode()[::-1]
    total = sum(backwards[::2]) + sum(backwards[1::2].translate(_LUHN_DOUBLED))
    return (total - len(digits) * ord("0")) % 10 == 0


def cn_resident_id(number: str) -> bool:
    """The digits are valid by GB 11643-1999: region, date of birth, sequence, check character."""
    if not "11" <= number[:2] <= "83" or not "1850" <= number[6:10] <= "2100":
        return False
    if _CN_CHECK[weighted(number, _CN_WEIGHTS) % 11] != number[17]:
        return False
    return is_date(number[6:10], number[10:12], number[12:14])


def kr_resident_number(digits: str) -> bool:
    """The digits are valid as those given out before October 2020; later ones have no check
    digit."""
    offset = 13 if digits[6] in "5678" else 11  # of foreigners
    check = (offset - weighted(digits, _KR_WEIGHTS) % 11) % 10
    return kr_birth_date(digits) and check == int(digits[12])


def kr_birth_date(digits: str) -> bool:
    """The first seven digits: YYMMDD, and one for century and sex."""
    century = {"9": "18", "0": "18", "3": "20", "4": "20", "7": "20", "8": "20"}
    year = century.get(digits[6], "19") + digits[:2]
    return is_date(year, digits[2:4], digits[4:6])


def jp_my_number(digits: str) -> bool:
    """The digits are valid by Ordinance No. 85 of 2014, Article 5. 85 of 2014, Article 5."""
    rest = weighted(digits, _JP_WEIGHTS) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def hk_identity_card(number: str) -> bool:
    """One or two letters, six digits, a check character of 0 to 9 or A."""
    padded = number.rjust(9)
    values = [36 if char == " " else int(char, 36) for char in padded[:8]]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return (total + int(padded[8], 36)) % 11 == 0


def sg_identity_number(number: str) -> bool:
    """NRIC and FIN: a letter, seven digits, a check letter."""
    total = weighted(number[1:8], _SG_WEIGHTS) + _SG_SHIFT[number[0]]
    letters = next(check for kinds, check in _SG_CHECK.items() if number[0] in kinds)
    return letters[total % 11] == number[8]


def tw_identity_number(number: str) -> bool:
    """A letter for the place, then 1, 2, 8 or 9 for the sex, seven digits and a check digit."""
    code = _TW_LETTERS.index(number[0]) + 10
    total = code // 10 + code % 10 * 9
    total += weighted(number[1:9], (8, 7, 6, 5, 4, 3, 2, 1)) + int(number[9])
    return total % 10 == 0


def iban(number: str) -> bool:
    """The characters are valid by ISO 13616: modulo 97."""
    turned = number[4:] + number[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1
