"""Numbers that are not written in figures, or not in plain ones, are found; words and codes that
only begin so are left alone."""

from __future__ import annotations

import base64
import json
import string
import unicodedata
from collections.abc import Callable
from random import Random
from urllib.parse import quote

import pytest

from runtime.detect.personal_data import find_personal_data
from tests.runtime.detect.people import EVERY_KIND, bank_account, cn_mobile, payment_card

SAMPLES = 20
OF_FIGURES = ("kr_rrn", "my_nric", "id_nik", "payment_card", "jp_my_number", "vn_cccd", "phone")


def in_words(words: str, between: str = " ") -> Callable[[str], str]:
    by_digit = dict(zip(string.digits, words.split(), strict=True))
    return lambda number: between.join(by_digit[digit] for digit in number)


def in_figures(figures: str) -> Callable[[str], str]:
    return lambda number: number.translate(str.maketrans(string.digits, figures))


def encoded(template: str, coding: str = "utf-8") -> Callable[[str], str]:
    return lambda number: base64.b64encode(template.format(number).encode(coding)).decode()


ENGLISH = "zero one two three four five six seven eight nine"
HAN = in_figures("零一二三四五六七八九")
WRITINGS: dict[str, Callable[[str], str]] = {
    "English": in_words(ENGLISH),
    "English with dashes": in_words(ENGLISH, "-"),
    "English with commas": in_words(ENGLISH.upper(), ", "),
    "English by lines": in_words(ENGLISH.replace("zero", "oh"), "\n"),
    "Malay": in_words("kosong satu dua tiga empat lima enam tujuh lapan sembilan"),
    "Indonesian": in_words("nol satu dua tiga empat lima enam tujuh delapan sembilan"),
    "Vietnamese": in_words("không một hai ba bốn năm sáu bảy tám chín"),
    "Pinyin": in_words("ling yi er san si wu liu qi ba jiu"),
    "Korean": in_figures("공일이삼사오육칠팔구"),
    "Korean, apart": in_words("공 일 이 삼 사 오 육 칠 팔 구"),
    "Han, apart": lambda number: " ".join(HAN(number)),
    "Han with commas": lambda number: "，".join(HAN(number)),
    "over the radio": in_figures("洞幺两三四五六拐八勾"),
    "of Suzhou": in_figures("〇〡〢〣〤〥〦〧〨〩"),
    "in Han circles": in_figures("〇㊀㊁㊂㊃㊄㊅㊆㊇㊈"),
    "in Han brackets": in_figures("〇㈠㈡㈢㈣㈤㈥㈦㈧㈨"),
    "in brackets": in_figures("⓪⑴⑵⑶⑷⑸⑹⑺⑻⑼"),
    "with dots": in_figures("0⒈⒉⒊⒋⒌⒍⒎⒏⒐"),
    "raised": in_figures("⁰¹²³⁴⁵⁶⁷⁸⁹"),
    "of seven segments": in_figures("🯰🯱🯲🯳🯴🯵🯶🯷🯸🯹"),
    "keycaps": lambda number: "".join(f"{digit}\ufe0f\u20e3" for digit in number),
    "tags": lambda number: "hi" + "".join(chr(0xE0000 + ord(char)) for char in number),
    "base64": encoded("{}"),
    "base64 of a sentence": encoded("我的号码是{}，请保密"),
    "base64 of UTF-16": encoded("my number is {}", "utf-16-le"),
    "base64 for links": lambda number: encoded("号码？>{}")(number).translate(
        str.maketrans("+/", "-_", "=")
    ),
    "base64 of mail": lambda number: base64.encodebytes(
        f"{'hello ' * 9}{number}{' bye' * 20}".encode()
    ).decode(),
    "base64 in JSON": lambda number: json.dumps({"data": encoded('{{"a": "{}"}}')(number)}),
    "escapes of Rust": lambda number: "".join(f"\\u{{{ord(char):x}}}" for char in number),
    "escapes of Python": lambda number: "".join(f"\\U{ord(char):08x}" for char in number),
    "a link in a link": lambda number: quote("".join(f"%{ord(char):x}" for char in number)),
    "HTML in HTML": lambda number: "".join(f"&amp;#{ord(char)};" for char in number),
    "careless HTML": lambda number: "".join(f"&#{ord(char)}" for char in number),
    "padded HTML": lambda number: "".join(f"&#00000{ord(char)};" for char in number),
    "HTML with marks": lambda number: "".join(f'<span class="d">{char}</span>' for char in number),
    "a terminal's": lambda number: f"{number[:5]}\x1b[1;31m{number[5:]}\x1b[0m",
}


@pytest.mark.parametrize("kind", OF_FIGURES)
@pytest.mark.parametrize("writing", WRITINGS)
def test_a_number_in_another_writing(kind: str, writing: str) -> None:
    random = Random(kind + writing)
    texts = [f"it is {WRITINGS[writing](EVERY_KIND[kind](random))} ." for _ in range(SAMPLES)]
    assert [text for text in texts if not find_personal_data([text]).kinds] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("double one zero one zero five one nine four nine one two three one triple zero two"
         .replace("triple zero two", "double zero two x"), "cn_resident_id"),
        ("one three eight double zero one three eight triple zero", "phone"),
        ("l38OO138OOO", "phone"),
        ("I38 0OI3 8O0O", "phone"),
        ("138ОО138ООО", "phone"),  # of the Cyrillic script
        ("55OO OOOO OOOO OOO4 and 5500 0000 OOOO 0004", "payment_card"),
        ("uid: WX13812345678", "phone"),
        ("楼".join("11010519491231002X"), "cn_resident_id"),
        ("一三八一二三四五六七八，一三九一二三四五六七八", "phone"),
        (unicodedata.normalize("NFD", "điện thoại: 9123 4567"), "phone"),
    ],
)  # fmt: skip
def test_as_people_say_and_mistype_it(text: str, kind: str) -> None:
    assert find_personal_data([text]).kinds == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "one two three four five six seven eight nine ten",
        "satu dua tiga empat lima enam tujuh lapan sembilan sepuluh",
        "一、二、三、四、五、六、七、八、九",
        "calculateMonthlyAverageOfAllValues and aVeryLongIdentifierOfSomeKind",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4",
        base64.b64encode(b"nothing that is anybody's stands in here").decode(),
        "lO0lO0lO0lOOl and 0x1O0l and 10I0I",
        "sha1 a13812345678b, c13912345678d, abc13812345678",
        "\x1b[32mok\x1b[0m 12 passed, <b>bold</b> <i>4521</i>",
        "| 14 | 420000 | 420,000 | yes |",
        "ids 550e8400-e29b-41d4-a716-835695789399, a1234567-0000-4000-8000-123456789012",
        "1楼2楼3楼4楼5楼6楼7楼8楼9楼1楼2楼3楼1楼2楼3楼4楼5楼6楼",
    ],
)
def test_what_only_begins_so(text: str) -> None:
    assert find_personal_data([text]).kinds == frozenset()
    assert find_personal_data([text]).is_complete


def test_what_is_hidden_is_no_kind_of_its_own() -> None:
    random = Random(7)
    hidden = encoded("pay to {}")(bank_account(random))
    assert find_personal_data([hidden]).kinds == {"iban"}
    in_a_part = [encoded("card {}")(payment_card(random)), "and nothing else"]
    assert find_personal_data(in_a_part).kinds == {"payment_card"}


def test_an_answer_stands_between_two_halves() -> None:
    random = Random(8)
    for _ in range(SAMPLES):
        number = cn_mobile(random)
        halves = [f"My number is {number[:5]}", "Thanks, go on.", f"{number[5:]} is the rest"]
        assert find_personal_data(halves).kinds == {"phone"}
        assert find_personal_data([halves[0], "Thanks.", f"the rest: {number[5:]}"]).kinds == set()
    assert find_personal_data(["call my mobile:", "Thanks.", "9123 4567"]).kinds == set()
