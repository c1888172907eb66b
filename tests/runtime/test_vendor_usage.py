"""What a vendor says of its tokens, and what is billed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import chat
from tests.runtime.vendors import (
    CACHED_NANO,
    DONE,
    OUTPUT_NANO,
    PROMPT_NANO,
    ROLE,
    Answer,
    delta,
    market,
    message,
    settled,
    streamed,
    usage,
    vendor,
    whole,
)

LONG = {"max_tokens": 2_000}
CONTENT = [delta("the"), delta(" river")]


async def _bill(tmp_path: Path, answer: Answer, **fields: Any) -> dict[str, Any]:
    """The ledger's row of a request that is answered like this."""
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(**{**LONG, **fields}))
        assert response.status == 200
        await response.read()
        await s.idle()
        (row,) = settled(s)
    return row


IN_CHOICE = {"prompt_tokens": 1_000, "completion_tokens": 50, "cached_tokens": 900}


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        (streamed(ROLE, *CONTENT, delta("", "stop"), {"choices": [], "usage": IN_CHOICE}, DONE),
         {"stream": True}),
        (whole(message("the river", usage=IN_CHOICE)), {}),
        (streamed(ROLE, *CONTENT, {"choices": [
            {"index": 0, "delta": {}, "finish_reason": "stop", "usage": IN_CHOICE}]}, DONE),
         {"stream": True}),
    ],
    ids=["cached_tokens beside the others", "the same, in one piece", "inside the choice"],
)  # fmt: skip
async def test_a_cached_prompt_is_billed_as_one(
    tmp_path: Path, answer: Answer, fields: dict[str, Any]
) -> None:
    row = await _bill(tmp_path, answer, **fields)
    assert row["cost_nano_usd"] == 100 * PROMPT_NANO + 900 * CACHED_NANO + 50 * OUTPUT_NANO
    assert (row["cached_tokens"], row["completion_tokens"]) == (900, 50)
    assert row["usage_source"] == "target"


async def test_usage_does_not_fall(tmp_path: Path) -> None:
    told = [usage(1_000, 500), usage(0, 0)]
    answer = streamed(ROLE, *CONTENT, delta("", "stop"), *told, DONE)
    row = await _bill(tmp_path, answer, stream=True)
    assert row["cost_nano_usd"] == 1_000 * PROMPT_NANO + 500 * OUTPUT_NANO


@pytest.mark.parametrize("streams", [True, False])
async def test_reasoning_beside_the_completion_is_billed(tmp_path: Path, streams: bool) -> None:
    told = usage(32, 9, total_tokens=135)["usage"]
    frames = [ROLE, *CONTENT, delta("", "stop"), {"choices": [], "usage": told}, DONE]
    answer = streamed(*frames) if streams else whole(message("the river", usage=told))
    row = await _bill(tmp_path, answer, stream=streams)
    assert row["completion_tokens"] == 103
    assert row["cost_nano_usd"] == 32 * PROMPT_NANO + 103 * OUTPUT_NANO
    assert "9 completion tokens told" in row["derivation"]
