"""The tables of headers in ``docs/api.md``."""

from __future__ import annotations

import re

import pytest

from cluster.enum_comments import NoMeaning
from cluster.reference.header_tables import blocks
from runtime.edge.cors import EXPOSED
from runtime.edge.response_headers import ANSWER_HEADERS
from runtime.wire.tags import TAG_HEADERS, TAG_MEANINGS, Tags, parse_tags

ROW = re.compile(r"^\| `([\w-]+)` \| (.*) \| (.*) \| (.*) \|$", re.MULTILINE)


def test_every_header_of_a_request_is_told_with_its_default() -> None:
    rows = ROW.findall(blocks()["request-headers"])
    assert [name.lower() for name, *_ in rows] == list(TAG_HEADERS)
    defaults = {name.lower(): default for name, *_, default in rows}
    assert {name: default for name, default in defaults.items() if default != "–"} == {
        "x-baseload-sensitivity": f"`{Tags().sensitivity}`",
        "x-baseload-cost-tier": f"`{Tags().cost_tier}`",
    }
    assert len({meaning for _, meaning, *_ in rows}) == len(rows)


def test_a_header_can_be_sent_as_it_is_spelt() -> None:
    rows = ROW.findall(blocks()["request-headers"])
    (spelt,) = (name for name, *_ in rows if name.lower() == "x-baseload-latency-budget-ms")
    assert parse_tags([(spelt, "5")]).latency_budget_ms == 5


def test_every_header_that_a_page_may_read_is_told() -> None:
    told = re.findall(r"^\| `([\w-]+)` \|", blocks()["answer-headers"], re.MULTILINE)
    assert ", ".join(told).encode() == EXPOSED
    assert all(each.on and each.meaning for each in ANSWER_HEADERS.values())


def test_what_could_be_typed_is_code_and_no_tag_is_left() -> None:
    text = blocks()["answer-headers"]
    assert "`local:<replica>` or `offer:<provider>/<model>`" in text
    assert "(`: baseload-cost-usd 0.0001`) before `[DONE]`" in text
    assert "`X-Baseload-Tell: cost`" in text
    assert "<" not in re.sub("`[^`]*`", "", text)


def test_a_header_without_a_meaning_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TAG_MEANINGS, "x-baseload-region", "")
    with pytest.raises(NoMeaning, match="x-baseload-region"):
        blocks()
