"""Synthetic numbers with valid check digits, made with the oracle of another project."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from stdnum import iban, luhn
from stdnum.cn import ric
from stdnum.id import nik
from stdnum.kr import rrn
from stdnum.my import nric

Make = Callable[[Random], str]


def digits(random: Random, count: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(count))


def day(random: Random) -> tuple[str, str, str]:
    return (
        f"{random.randint(1930, 2024)}",
        f"{random.randint(1, 12):02}",
        f"{random.randint(1, 28):02}",
    )


def cn_resident_id(random: Random) -> str:
    region = random.choice(["110101", "310104", "440305", "510107", "330106", "420111"])
    number = region + "".join(day(random)) + digits(random, 3)
    return number + ric.calc_check_digit(number + "0")


def kr_rrn(random: Random) -> str:
    while True:
        year, month, on = day(random)
        sex = random.choice("12") if year < "2000" else random.choice("34")
        number = year[2:] + month + on + sex + digits(random, 5)
        number += rrn.calc_check_digit(number + "0")
        if rrn.is_valid(number):
            return number


def my_nric(random: Random) -> str:
    while True:
        year, month, on = day(random)
        number = year[2:] + month + on + f"{random.randint(1, 59):02}" + digits(random, 4)
        if nric.is_valid(number):
            return number


def id_nik(random: Random) -> str:
    while True:
        year, month, on = day(random)
        on = f"{int(on) + random.choice([0, 40]):02}"
        number = random.choice(["317101", "320101", "357801"]) + on + month + year[2:]
        number += f"{random.randint(1, 9999):04}"
        if nik.is_valid(number):
            return number


def payment_card(random: Random) -> str:
    prefix, length = random.choice([("4", 16), ("51", 16), ("62", 16), ("34", 15), ("6222", 19)])
    number = prefix + digits(random, length - len(prefix) - 1)
    return number + luhn.calc_check_digit(number)


def bank_account(random: Random) -> str:
    number = "DE00" + digits(random, 18)
    return "DE" + iban.calc_check_digits(number) + number[4:]


def jp_my_number(random: Random) -> str:
    number = digits(random, 11)
    weighted = sum(
        int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(number), 1)
    )
    return number + str(0 if weighted % 11 <= 1 else 11 - weighted % 11)


def hk_id(random: Random) -> str:
    letter, number = random.choice("ABCDEFGHKPRVYZ"), digits(random, 6)
    total = 9 * 36 + 8 * (ord(letter) - 55)
    total += sum(int(digit) * weight for digit, weight in zip(number, range(7, 1, -1), strict=True))
    return f"{letter}{number}({'0123456789A'[-total % 11]})"


def sg_nric(random: Random) -> str:
    first, number = random.choice("STFG"), digits(random, 7)
    total = sum(
        int(digit) * weight for digit, weight in zip(number, (2, 7, 6, 5, 4, 3, 2), strict=True)
    )
    total += 4 if first in "TG" else 0
    letters = "JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK"
    return first + number + letters[total % 11]


def tw_id(random: Random) -> str:
    letter, number = random.choice("ABCDEFGHJK"), random.choice("12") + digits(random, 7)
    code = str("ABCDEFGHJKLMNPQRSTUVXYWZIO".index(letter) + 10)
    total = int(code[0]) + 9 * int(code[1])
    total += sum(int(digit) * weight for digit, weight in zip(number, range(8, 0, -1), strict=True))
    return letter + number + str(-total % 10)


def vn_cccd(random: Random) -> str:
    return random.choice(["001", "079", "048"]) + random.choice("0123") + digits(random, 8)


def us_ssn(random: Random) -> str:
    area = random.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03}-{random.randint(1, 99):02}-{random.randint(1, 9999):04}"


def cn_mobile(random: Random) -> str:
    return "1" + random.choice("356789") + digits(random, 9)


def phone(random: Random) -> str:
    return random.choice(["+65 9", "+852 9", "+84 91", "+62 812 "]) + digits(random, 7)


def email(random: Random) -> str:
    return f"user{digits(random, 3)}@mail.example.com"


EVERY_KIND: dict[str, Make] = {
    "cn_resident_id": cn_resident_id,
    "kr_rrn": kr_rrn,
    "my_nric": my_nric,
    "id_nik": id_nik,
    "payment_card": payment_card,
    "iban": bank_account,
    "jp_my_number": jp_my_number,
    "hk_id": hk_id,
    "sg_nric": sg_nric,
    "tw_id": tw_id,
    "vn_cccd": vn_cccd,
    "us_ssn": us_ssn,
    "phone": cn_mobile,
    "phone abroad": phone,
    "email": email,
}
