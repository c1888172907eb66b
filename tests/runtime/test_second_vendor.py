"""An answer that is none, though its status is 200, is no success: the next vendor is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import chat
from tests.runtime.vendors import (
    FIRST,
    OUTPUT_NANO,
    PROMPT_NANO,
    SECOND,
    Answer,
    market,
    message,
    settled,
    two,
    usage,
    vendor,
    whole,
)

TOLD = usage(8, 2)["usage"]
GOOD = whole(message("the river", usage=TOLD))


def _rows(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(row["target"].split("/")[0], row["ending"], row["outcome"]) for row in rows]


BAD: dict[str, tuple[Any, str, str]] = {
    "an error": ({"error": {"message": "x", "code": 500}}, "settle", "upstream_error"),
    "an error without a code": ({"error": "x"}, "settle", "bad_answer"),
    "no choices": ({"choices": []}, "settle", "bad_answer"),
    "no message": ({"choices": [{"index": 0, "finish_reason": "stop"}]}, "settle", "bad_answer"),
    "error as a finish reason": (message("the", "error"), "settle", "bad_answer"),
    "abort as a finish reason": (message("the", "abort"), "settle", "bad_answer"),
    "no finish reason": (message("the", None), "settle", "bad_answer"),
    "no JSON": (b"<html>", "settle", "bad_answer"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_whole_answer_that_is_none(tmp_path: Path, name: str) -> None:
    told, ending, code = BAD[name]
    async with two(tmp_path, whole(told), GOOD) as s:
        response = await s.post(chat(max_tokens=500))
        assert response.status == 200
        assert response.headers["x-baseload-target"].startswith(f"offer:{SECOND}")
        assert (await response.json())["choices"][0]["message"]["content"] == "the river"
        await s.idle()
        rows = settled(s)
    assert _rows(rows) == [
        (f"offer:{FIRST}", ending, f"target_failed: {code}"),
        (f"offer:{SECOND}", "settle", "ok"),
    ]


async def test_a_rate_limit_in_the_body_is_one(tmp_path: Path) -> None:
    limited = whole({"error": {"message": "slow down", "code": 429}})
    async with two(tmp_path, limited, GOOD) as s:
        assert (await s.post(chat())).status == 200
        await s.idle()
        rows = settled(s)
    assert [(row["ending"], row["outcome"]) for row in rows] == [
        ("void", "rate_limited: upstream_not_started"),
        ("settle", "ok"),
    ]


async def test_what_a_failed_answer_used_is_billed_as_it_tells(tmp_path: Path) -> None:
    empty = whole({"choices": [], "usage": TOLD})
    async with two(tmp_path, empty, GOOD) as s:
        assert (await s.post(chat())).status == 200
        await s.idle()
        failed, good = settled(s)
    assert failed["cost_nano_usd"] == 8 * PROMPT_NANO + 2 * OUTPUT_NANO
    assert failed["usage_source"] == "target"
    assert good["cost_nano_usd"] == 2 * failed["cost_nano_usd"]


async def test_fewer_answers_than_were_asked_for(tmp_path: Path) -> None:
    both = message("the river", usage=TOLD)
    both["choices"].append({**both["choices"][0], "index": 1})
    async with two(tmp_path, GOOD, whole(both)) as s:
        response = await s.post(chat(n=2))
        assert len((await response.json())["choices"]) == 2
        await s.idle()
        rows = settled(s)
    assert _rows(rows)[0] == (f"offer:{FIRST}", "settle", "target_failed: bad_answer")
    assert rows[0]["cost_nano_usd"] == 8 * PROMPT_NANO + 2 * OUTPUT_NANO


@pytest.mark.parametrize("answer", [whole(message("a", "error")), whole({"error": {"code": 500}})])
async def test_without_a_second_vendor_work_that_was_done_is_not_to_be_done_again(
    tmp_path: Path, answer: Answer
) -> None:
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat())
        assert (response.status, response.headers["x-should-retry"]) == (502, "false")
        await s.idle()
        assert len(settled(s)) == len(first.asked) == 1


async def test_without_a_second_vendor_what_has_not_begun_may_be_asked_again(
    tmp_path: Path,
) -> None:
    async with vendor(whole({"error": {"code": 503}})) as first, market(tmp_path, first) as s:
        response = await s.post(chat())
        assert response.status in (429, 503)
        assert "x-should-retry" not in response.headers
        assert int(response.headers["retry-after"]) >= 1
