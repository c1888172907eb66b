"""What a vendor says of its tokens, and what is billed for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime.ledger.audit import audit
from tests.runtime.parts import chat, until
from tests.runtime.pupil import Pupil
from tests.runtime.vendors import (
    CACHED_NANO,
    DONE,
    HANG,
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

LONG: dict[str, Any] = {"max_tokens": 2_000}
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


WORDS = " the river turned its old wheel and she listened to it for a while there, and said so"
TWENTY = [delta(WORDS) for _ in range(11)]  # frames of some twenty tokens each
TOKENS = 11 * 20


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        (streamed(ROLE, *TWENTY, delta("", "stop"), DONE), {"stream": True}),
        (streamed(ROLE, *TWENTY, delta("", "stop"), usage(0, 0), DONE), {"stream": True}),
        (streamed(ROLE, *[each | usage(0, 0) | each for each in TWENTY], delta("", "stop"), DONE),
         {"stream": True}),
        (whole(message(11 * WORDS)), {}),
        (whole(message(11 * WORDS, usage=usage(0, 0)["usage"])), {}),
    ],
    ids=["none", "zeros", "zeros in every frame", "none, in one piece", "zeros, in one piece"],
)  # fmt: skip
async def test_usage_that_is_not_told_is_estimated_and_marked(
    tmp_path: Path, answer: Answer, fields: dict[str, Any]
) -> None:
    row = await _bill(tmp_path, answer, **fields)
    assert row["outcome"] == "ok"
    assert row["usage_source"] == "estimate"
    assert row["prompt_tokens"] is None
    assert 0.7 * TOKENS < row["completion_tokens"] < 1.3 * TOKENS
    assert row["cost_nano_usd"] > row["completion_tokens"] * OUTPUT_NANO
    assert "tokens estimated" in row["derivation"]


@pytest.mark.parametrize("ends", [HANG, b""], ids=["the client leaves", "the vendor breaks off"])
async def test_a_frame_is_no_token(tmp_path: Path, ends: bytes) -> None:
    answer = [*streamed(ROLE, *TWENTY)[:-1], ends]
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True, **LONG))
        got = b""
        while got.count(b"listened") < len(TWENTY):
            got += await response.content.readany()
        if ends == HANG:
            response.close()
        else:
            assert b"incomplete_stream" in await response.read()
        await s.idle()
        (row,) = settled(s)
    assert row["usage_source"] == "estimate"
    assert 0.7 * TOKENS < row["completion_tokens"] < 1.3 * TOKENS


async def test_an_answer_in_one_piece_that_was_left_is_in_doubt_up_to_its_bound(
    tmp_path: Path,
) -> None:
    async with vendor([HANG]) as first, market(tmp_path, first) as s:
        asking = asyncio.ensure_future(s.post(chat(**LONG)))
        await until(lambda: len(first.asked) == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await s.idle()
        (row,) = settled(s)
        found = audit(s.ledger)
    assert (row["usage_source"], row["completion_tokens"]) == ("none", None)
    assert 0 < row["cost_nano_usd"] < 100 * PROMPT_NANO
    assert row["bound_nano_usd"] > LONG["max_tokens"] * OUTPUT_NANO
    assert found.estimated == 1
    assert found.doubt_nano_usd == row["bound_nano_usd"] - row["cost_nano_usd"]


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("told", [900_000_000, 11])
async def test_more_than_was_asked_for_is_billed_to_the_limit_and_teaches_nothing(
    tmp_path: Path, told: int, streams: bool
) -> None:
    counts = usage(8, told)
    frames = streamed(ROLE, *CONTENT, delta("", "stop"), counts, DONE)
    answer = frames if streams else whole(message("the river", usage=counts["usage"]))
    async with vendor(answer) as first, market(tmp_path, first) as s:
        pupil = s.gateway.estimator = Pupil()
        response = await s.post(chat(max_tokens=5, n=1, stream=streams))
        assert response.status == 200
        await response.read()
        await s.idle()
        (row,) = settled(s)
    assert (row["usage_source"], row["completion_tokens"]) == ("limit", 5)
    assert row["cost_nano_usd"] == 8 * PROMPT_NANO + 5 * OUTPUT_NANO
    assert f"{told} completion tokens told, at most 5 can be" in row["derivation"]
    assert (pupil.prompts, pupil.answers) == ([], [])


async def test_where_nothing_was_asked_the_offers_context_is_the_limit(tmp_path: Path) -> None:
    answer = whole(message("the river", usage=usage(8, 10**8)["usage"]))
    row = await _bill(tmp_path, answer, max_tokens=None)
    assert (row["usage_source"], row["completion_tokens"]) == ("limit", 131_072)
