"""Whatever stands between the parts of a number, it is found; rows of other numbers are not."""

from __future__ import annotations

from random import Random

import pytest

from runtime.detect.personal_data import find_personal_data
from tests.runtime.detect.people import EVERY_KIND

SAMPLES = 20
SIGNS = [
    "·", "•", "—", "–", "‐", "‑", "−", "～", "~", "|", "｜", "/", "／", "\\", "_", "＿", ":",
    "：", "、", "。", ".", "．", "…", "*", "★", "♥", "📞", "➖", "#", "→", "()", "[]", "{}",
    "“", "'", '"', "`", "\u3000", "\xa0", "\u2003", "\u200b", "\u200e", "\u202e", "\u2028", "⠀",
    "    ", " - ", " – ", "--", "**", "~~", "\\-", "\\,", "$ $", "&ensp;", "%2D", "\\n", "\r\n",
    "\n// ", "\n * ", "<br>", "<br/>", "<wbr>", "</b><b>", "<!-- -->", "\x1b[0m", '","', '", "',
    '" + "', "杠", "然后",
]  # fmt: skip
PARTS = {"phone": (3, 4, 4), "jp_my_number": (4, 4, 4), "id_nik": (4, 4, 4, 4)}
LISTS = ["、", "然后", '","', '", "']  # of years and of amounts, too


def parted(number: str, sizes: tuple[int, ...], sign: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    return sign.join(parts)


@pytest.mark.parametrize("sign", SIGNS, ids=map(ascii, SIGNS))
def test_a_sign_between_the_parts(sign: str) -> None:
    random = Random(sign)
    for kind, sizes in PARTS.items():
        if sign in LISTS and kind != "phone":
            continue
        numbers = [EVERY_KIND[kind](random) for _ in range(SAMPLES)]
        texts = [f"it is {parted(number, sizes, sign)} ok" for number in numbers]
        assert [text for text in texts if not find_personal_data([text]).kinds] == []


@pytest.mark.parametrize("sign", [".", "/", "_", "*", "、", "~", "\n", "\u200b"])
def test_a_sign_between_all_digits(sign: str) -> None:
    random = Random(sign)
    for _ in range(SAMPLES):
        text = f"it is {sign.join(EVERY_KIND['phone'](random))} ok"
        assert find_personal_data([text]).kinds == {"phone"}


@pytest.mark.parametrize(
    "text",
    [
        "1988年、1992年、1996年",
        "138~1234~5678~9012",  # a row that goes on
        "9012~138~1234~5678",
        "1234567~138~1234~5678",
        "12, 138\n1234\n5678, 9",  # of a table
        "8356957 89399.5",
        "138+1234+5678 = 7050",
        "138, 1234, 5678",
        "['1', '1', '1', '1', '1', '1', '1', '1', '1', '1', '1', '1']",
        "|0|0|1|0|1|1|0|1|0|0|0|1|",
        "hosts 192.168.100.101 and 210.255.255.255",
        "0.8444218515250481 0.7579544029403025 0.420571580830845",
        "7212345\n1138001\n8134567\n3800013",
        "1951\t1\t48302\t120\n1952\t2\t1138\t45\n1953\t3\t55000\t17",
    ],
)
def test_rows_of_other_numbers(text: str) -> None:
    assert find_personal_data([text]).kinds == frozenset()
