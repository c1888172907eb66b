"""Personal data that is written in another way is found all the same: as JSON, links and HTML write
it, with what nobody sees in it, with digits and dashes of other kinds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from random import Random
from urllib.parse import quote

import pytest

from runtime.detect.normal_form import normal_form
from runtime.detect.personal_data import find_personal_data
from tests.runtime.detect.people import EVERY_KIND

SAMPLES = 20
BOLD = str.maketrans("0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
THAI = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
ROUND = str.maketrans("0123456789", "⓿❶❷❸❹❺❻❼❽❾")
CAPITALS = str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖")
DISGUISES: dict[str, Callable[[str], str]] = {
    "after a line end in JSON": lambda number: json.dumps({"text": f"call me:\n{number}\tok"}),
    "in JSON in JSON": lambda number: json.dumps(json.dumps({"text": f"me:\n{number}\n"})),
    "as escapes": lambda number: "".join(f"\\u{ord(char):04x}" for char in number),
    "as escapes of pairs": lambda number: json.dumps(number.translate(BOLD)),
    "in bold figures": lambda number: number.translate(BOLD),
    "in Thai figures": lambda number: number.translate(THAI),
    "in dark circles": lambda number: number.translate(ROUND),
    "in a link": lambda number: f"https://a.example/?q={quote('号' + number + '号')}&x=1",
    "as a link has it": lambda number: "".join(f"%{ord(char):02X}" for char in number),
    "as HTML has it": lambda number: "".join(f"&#{ord(char)};" for char in number),
    "as HTML has it, in hex": lambda number: "".join(f"&#x{ord(char):x};" for char in number),
    "with directions": lambda number: "\u2066" + "\u202c".join(number) + "\u2069",
    "with joiners": lambda number: "\u034f".join(number),
    "with tags": lambda number: "\U000e0061".join(number),
    "with a line below": lambda number: "".join(char + "\u0332" for char in number),
    "with fillers": lambda number: "\u3164".join(number),
    "with control characters": lambda number: "\x00".join(number),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_number_in_disguise(kind: str, disguise: str) -> None:
    random = Random(kind + disguise)
    texts = [DISGUISES[disguise](EVERY_KIND[kind](random)) for _ in range(SAMPLES)]
    assert [text for text in texts if not find_personal_data([text]).kinds] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://a.example/u?email=john%40example.com", "email"),
        ("john&#64;example.com", "email"),
        ("john&commat;example.com", "email"),
        ("john\\@example.com", "email"),
        ("john [at] example [dot] com", "email"),
        ("john(at)example.com", "email"),
        ("张三@例子.中国", "email"),
        ("hans@müller.de", "email"),
        ("call (212) 555-1234 now", "phone"),
        ("138 - 1234 - 5678", "phone"),
        ("138&nbsp;1234&nbsp;5678", "phone"),
        ("**138** 1234 **5678**", "phone"),
        ("`138` `1234` `5678`", "phone"),
        ("090ー1234ー5678", "phone"),  # a mark of long vowels, as many type it
        ("010-1234-5678", "phone"),
        ("0912-345-678", "phone"),
        ("0812-3456-7890", "phone"),
        ("012-345 6789", "phone"),
        ("008613812345678", "phone"),
        ("0086-138-1234-5678", "phone"),
        ("Tel13812345678", "phone"),
        ("VX13812345678", "phone"),
        ("一三八12345678", "phone"),
        ("幺三八幺二三四五六七八", "phone"),
        ("5500 - 0000 - 0000 - 0004", "payment_card"),
        ("5500:0000:0000:0004", "payment_card"),
        ("ID11010519491231002X", "cn_resident_id"),
        ("sfz11010519491231002Xok", "cn_resident_id"),
        ("110105,19491231,002X", "cn_resident_id"),
        ("'110105' '19491231' '002X'", "cn_resident_id"),
        ("11010519491231002Х", "cn_resident_id"),  # a letter of the Cyrillic script
        ("11010519491231002×", "cn_resident_id"),
        ("DE89.3704.0044.0532.0130.00", "iban"),
        ("DE89 / 3704 / 0044 / 0532 / 0130 / 00".replace(" / ", " /"), "iban"),
        ("广东省深圳市南山区科技路十五号", "address"),
    ],
)
def test_as_people_write_it(text: str, kind: str) -> None:
    assert find_personal_data([text]).kinds == {kind}
    assert find_personal_data([f"请看：{text}。"]).kinds == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "A @ self.weight + b, with X@W for a matrix",
        "npm install lodash@4.17.21 and @types/node",
        "100% of 50%20things at 3 % & 4",
        "\\frac{1}{2} \\times 1234567 \\nu",
        "versions 10.0.19041.1234 and 2024-01-01 12:30:45.123456",
        "[at] the end (at) noon. Then we go",
        "2019, 2020, 2021, 2022, 2023 and 4521, 5678",
        "SHA 3f786850e387550fdab836ed7e6dc881de23001b",
        "会议在一号楼三号室,路二号线",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert find_personal_data([text]).kinds == frozenset()


@pytest.mark.parametrize(
    "piece", ["1 ", "1", "一 1 ", "\\u0031 ", "%31 ", "&#49; ", "a@", "1\x00,", "\\", "%4", "&a"]
)
def test_long_rows_take_no_longer_than_they_are_long(piece: str) -> None:
    """Much of what each pattern begins with: nothing looks at it again and again."""
    text = piece * (200_000 // len(piece)) + "é"
    began_s = time.process_time()
    find_personal_data([text])
    assert time.process_time() - began_s < 5


def test_the_plain_form() -> None:
    assert normal_form("plain 100% & \\d") == "plain 100% & \\d"
    assert normal_form("\\ud835\\udfcf \\ud835") == "1 \ufffd"
    assert normal_form("%E5%8F%B71 %FF") == "号1 \ufffd"
    assert normal_form("&#0; &#9999999; &unknown; &lt;") == "\ufffd \ufffd &unknown; <"
