"""Every listed kind is found wherever it stands, and prompts without people are left alone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest
import yaml

from runtime.detect import personal_data
from runtime.detect.personal_data import INCOMPLETE, NOTHING, Finding, find_personal_data
from tests.runtime.detect.people import EVERY_KIND

SAMPLES = 60
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
PROMPTS = Path("../shared/data/routing")
WRITTEN = yaml.safe_load((Path(__file__).parent / "personal_data.yaml").read_text())


def of_kind(kind: str) -> list[str]:
    random = Random(kind)
    return [EVERY_KIND[kind](random) for _ in range(SAMPLES)]


@pytest.fixture(params=EVERY_KIND)
def numbers(request: pytest.FixtureRequest) -> list[str]:
    return of_kind(request.param)


def assert_found(texts: list[list[str]]) -> None:
    missed = [text for text in texts if not find_personal_data(text).kinds]
    assert missed == []


def test_alone_and_in_a_sentence(numbers: list[str]) -> None:
    assert_found([[number] for number in numbers])
    assert_found([[f"My number is {number}, please keep it."] for number in numbers])
    assert_found([[f"({number})"] for number in numbers])


def test_beside_han_characters(numbers: list[str]) -> None:
    assert_found([[f"我的号码{number}请保密"] for number in numbers])
    assert_found([[f"番号は{number}です"] for number in numbers])


def test_full_width(numbers: list[str]) -> None:
    assert_found([[f"号码:{number.translate(WIDE)}。"] for number in numbers])


def test_grouped_by_four(numbers: list[str]) -> None:
    for number in numbers:
        if not number.isdigit():
            continue
        grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
        assert_found([[f"it is {grouped} indeed"]])


def test_every_digit_apart(numbers: list[str]) -> None:
    assert_found([[f"it is {' '.join(n)} indeed"] for n in numbers if n.rstrip("X").isdigit()])


def test_split_over_two_and_three_parts(numbers: list[str]) -> None:
    for number in numbers:
        for cut in range(1, len(number)):
            assert_found([["My number: " + number[:cut], number[cut:] + ", yes."]])
        assert_found([[number[:3], number[3:7], number[7:]]])


@pytest.mark.parametrize("at", [10, 2_000, 50_000, 1_000_000])
def test_anywhere_in_a_long_text(at: int) -> None:
    filler = ("The quick brown fox jumps over the lazy dog. " * (at // 45 + 1))[:at]
    for kind in EVERY_KIND:
        number = of_kind(kind)[0]
        assert_found([[f"{filler} {number} {filler[:100]}"]])


def test_han_digits_and_invisible_characters() -> None:
    han = str.maketrans("0123456789", "〇一二三四五六七八九")
    for number in of_kind("cn_resident_id"):
        if number.isdigit():
            assert find_personal_data([f"身份证{number.translate(han)}"]).kinds == {
                "cn_resident_id"
            }
        hidden = "\u200b".join(number)
        assert find_personal_data([f"身份证{hidden}"]).kinds == {"cn_resident_id"}


@pytest.mark.parametrize("written", WRITTEN, ids=range(len(WRITTEN)))
def test_texts_by_somebody_who_had_not_seen_the_patterns(written: dict[str, str]) -> None:
    kinds = set() if written["kind"] == "none" else {written["kind"]}
    assert find_personal_data([written["text"]]).kinds == kinds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("车牌粤B12345已登记", "cn_plate"),
        ("我住在上海市徐汇区漕溪北路250号", "address"),
        ("Passport No. E12345678 expires soon", "document_number"),
        ("护照号码:G12345678", "document_number"),
        ("call me, mobile: 9123 4567", "phone"),
        ("电话:021-5555 1234", "phone"),
        ("call 415-555-2671 today", "phone"),
    ],
)
def test_what_words_give_away(text: str, kind: str) -> None:
    assert find_personal_data([text]).kinds == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is the capital of France?",
        "1 2 3 4 5 6 7 8 9 10 11 12",
        "pi is 3.14159265358979323846",
        "0.4111111111111111 and 0.5500000000000004",
        "x+1234567890123 = y",
        "on 2026-11-30 at 12:34:56.789012",
        "@app.route('/v1') def f(): pass",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "version 1.2.3.4, build 20261130.1",
        "[[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 1, 1]]",
        "5 3 0 0 7 0 0 0 0\n6 0 0 1 9 5 0 0 0\n0 9 8 0 0 0 0 6 0",
        "order 123456789 of 987654321",
    ],
)
def test_numbers_that_are_nobodys(text: str) -> None:
    assert find_personal_data([text]) == NOTHING


def test_a_wrong_check_digit_is_nobodys_number() -> None:
    number = of_kind("cn_resident_id")[0]
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    assert find_personal_data([wrong]) == NOTHING


def test_a_bound_that_is_reached_counts_as_personal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not NOTHING.is_personal
    assert INCOMPLETE.is_personal
    monkeypatch.setattr(personal_data, "CHARS_MAX", 10)
    assert find_personal_data(["one", "more than ten"]) == INCOMPLETE
    monkeypatch.undo()
    monkeypatch.setattr(personal_data, "LOOKS_MAX", 3)
    table = "\n".join("123456789012" for _ in range(5))
    assert find_personal_data([table]) == INCOMPLETE
    assert Finding(frozenset({"email"})).is_personal


def prompts() -> list[str]:
    if not PROMPTS.is_dir():
        pytest.skip("the public prompts are not beside this checkout")
    found = []
    for path in sorted(PROMPTS.glob("paretobandit_*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            found += [json.loads(line)["prompt"] for line in lines]
    return found


def test_public_prompts_are_left_alone() -> None:
    texts = prompts()
    flagged = [text for text in texts if find_personal_data([text]).is_personal]
    assert len(texts) > 3_000
    assert len(flagged) <= 0.005 * len(texts), flagged[:5]
