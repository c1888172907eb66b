"""What a search costs grows as its text does, whatever the text: counted in what it does, not in
seconds. No pattern reads without a bound from many places of a text, no place is searched twice,
and few numbers are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

import pytest

from benchmarks.studies.detector_texts import TEXTS
from runtime.detect import (
    decoded,
    email_addresses,
    ids_of_digits,
    ids_with_letters,
    normal_form,
    other_writings,
    personal_data,
    said_numbers,
)
from runtime.detect.ids_of_digits import Budget
from runtime.detect.personal_data import NOTHING, find_personal_data

MODULES = (
    decoded,
    email_addresses,
    ids_of_digits,
    ids_with_letters,
    normal_form,
    other_writings,
    personal_data,
    said_numbers,
)
# Each takes all that it reads, or gives back one repetition of it, and goes on after it.
TAKES_WHAT_IT_READS = {
    "decoded._URL",
    "ids_of_digits._PART",
    "ids_of_digits._PARTS",  # a handful of parts, of which one is longer than any pattern asks for
    "ids_of_digits._ROW",
    "ids_of_digits._SIGNED",
    "normal_form._HAN_NUMBER",
    "other_writings._BASE64",
    "other_writings._TAGS",
    "personal_data._CLUSTER",
}
LOOKS_PER_CHAR_MAX = 0.02


def patterns(module: ModuleType) -> Iterator[tuple[str, re.Pattern[str]]]:
    for name, value in vars(module).items():
        if isinstance(value, re.Pattern):
            yield f"{module.__name__.rpartition('.')[2]}.{name}", value


PATTERNS = dict(pattern for module in MODULES for pattern in patterns(module))


def reads_without_bound(parsed: Any) -> bool:
    if isinstance(parsed, tuple) and len(parsed) == 3 and parsed[1] is _constants.MAXREPEAT:
        return True
    if isinstance(parsed, str | int) or parsed is None:
        return False
    return any(reads_without_bound(each) for each in parsed)


def test_what_reads_without_a_bound() -> None:
    found = {
        name
        for name, pattern in PATTERNS.items()
        if reads_without_bound(_parser.parse(pattern.pattern, pattern.flags))
    }
    assert len(PATTERNS) > 20
    assert found == TAKES_WHAT_IT_READS


@pytest.mark.parametrize("name", TEXTS)
def test_no_place_is_searched_twice(name: str) -> None:
    text = normal_form.normal_form(TEXTS[name](20_000))
    windows = list(personal_data._windows(text))
    assert sum(map(len, windows)) <= len(text)
    at = 0
    for window in windows:
        at = text.index(window, at) + len(window)


@pytest.mark.parametrize("name", TEXTS)
def test_few_numbers_are_looked_at_and_no_more_of_a_longer_text(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[Budget] = []

    def counted(looks: int) -> Budget:
        budgets.append(Budget(looks))
        return budgets[-1]

    monkeypatch.setattr(personal_data, "Budget", counted)
    for chars in (2_000, 32_000):
        assert find_personal_data([TEXTS[name](chars)]) == NOTHING
        looks = personal_data.LOOKS_MAX - budgets[-1].left
        assert looks <= LOOKS_PER_CHAR_MAX * chars


def test_plain_text_is_not_searched_for_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("there are no digits to look at")

    monkeypatch.setattr(personal_data, "_kind_in", refuse)
    for name in ("English prose", "Chinese prose", "Chinese and English", "code"):
        assert find_personal_data([TEXTS[name](2_000)]) == NOTHING
