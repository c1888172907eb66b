"""A stream is committed by its first words: until then the next vendor can be asked (C1, C2)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import chat, until
from tests.runtime.vendors import (
    DONE,
    FIRST,
    HANG,
    OUTPUT_NANO,
    PROMPT_NANO,
    ROLE,
    SECOND,
    Answer,
    delta,
    event,
    market,
    settled,
    streamed,
    two,
    usage,
    vendor,
    whole,
)

COMMENT = b": PROCESSING\n\n"
ERROR = {"error": {"message": "boom", "type": "server_error", "code": 502}}
FINISH = delta("", "stop")
GOOD = [delta(" river"), delta(" ran"), FINISH, usage(8, 2), DONE]
SENT = b"".join(map(event, [ROLE, *GOOD[:3], DONE]))  # of GOOD after a role, as a client gets it
QUICK = {"stream": {"first_token_ms_max": 1_500}}

NONE: dict[str, Answer] = {
    "an error at once": streamed(ERROR),
    "an error event": streamed(b"event: error\n" + event({"message": "boom"})),
    "an error after comments": streamed(COMMENT, COMMENT, ERROR),
    "an error after a role": streamed(ROLE, ERROR),
    "an error after usage": streamed(ROLE, usage(8, 0), ERROR),
    "an error in one piece": whole(ERROR),
    "no choices": streamed({"choices": []}, usage(8, 0), DONE),
    "only a role": streamed(ROLE, DONE),
    "only comments": streamed(COMMENT, COMMENT),
    "nothing": streamed(),
    "a finish reason that is none": streamed(ROLE, delta("", "error"), DONE),
    "a break after a role": [*streamed(ROLE)[:-1]],
    "silence": streamed(HANG),
    "silence after a role": streamed(ROLE, HANG),
    "no JSON": streamed(b"data: {half\n\n"),
    "an answer in one piece": whole({"choices": [{"message": {"content": "a"}}]}),
}


@pytest.mark.parametrize("name", NONE)
async def test_before_the_first_words_the_next_vendor_is_asked(tmp_path: Path, name: str) -> None:
    async with two(tmp_path, NONE[name], streamed(ROLE, *GOOD), QUICK) as s:
        response = await s.post(chat(stream=True))
        assert response.status == 200
        assert response.headers["x-baseload-target"].startswith(f"offer:{SECOND}")
        assert response.headers["x-baseload-reason"] == "retry"
        assert await response.read() == SENT  # of the first one nothing
        await s.idle()
        failed, good = settled(s)
    assert failed["target"].startswith(f"offer:{FIRST}")
    assert failed["outcome"].startswith("target_failed")
    assert (good["outcome"], good["usage_source"]) == ("ok", "target")


async def test_what_a_vendor_tells_of_an_answer_that_did_not_come_is_billed(tmp_path: Path) -> None:
    async with two(tmp_path, streamed(ROLE, usage(8, 1), ERROR), streamed(*GOOD)) as s:
        await (await s.post(chat(stream=True))).read()
        await s.idle()
        failed, _ = settled(s)
    assert failed["cost_nano_usd"] == 8 * PROMPT_NANO + OUTPUT_NANO


async def test_an_error_that_says_it_was_no_work_costs_nothing(tmp_path: Path) -> None:
    limited = {"error": {"message": "slow down", "code": 429}}
    async with two(tmp_path, streamed(ROLE, limited), streamed(*GOOD)) as s:
        await (await s.post(chat(stream=True))).read()
        await s.idle()
        failed, _ = settled(s)
    assert (failed["ending"], failed["outcome"]) == ("void", "rate_limited: upstream_not_started")


@pytest.mark.parametrize("bad", [streamed(ROLE, ERROR), streamed({"choices": []}, DONE)])
async def test_an_error_that_nobody_can_heal_is_an_error_response(
    tmp_path: Path, bad: Answer
) -> None:
    async with two(tmp_path, bad, bad) as s:
        response = await s.post(chat(stream=True))
        assert (response.status, response.headers["x-should-retry"]) == (502, "false")
        assert (await response.json())["error"]["type"] == "upstream_error"
        await s.idle()
        assert settled(s)[0]["outcome"].startswith("target_failed")


async def test_a_fault_of_the_request_is_told_as_one(tmp_path: Path) -> None:
    refused = {"error": {"message": "too long", "code": 400}}
    async with two(tmp_path, streamed(COMMENT, refused), streamed(*GOOD)) as s:
        response = await s.post(chat(stream=True))
        assert response.status == 400
        assert (await response.json())["error"]["message"] == "too long"
        await s.idle()
        (row,) = settled(s)
    assert row["ending"] == "void"


WORDS: dict[str, Any] = {
    "text": delta("hm"),
    "reasoning": delta(delta={"reasoning_content": "hm"}),
    "a tool call": delta(delta={"tool_calls": [{"index": 0, "function": {"name": "f"}}]}),
    "a refusal": delta(delta={"refusal": "no"}),
}


@pytest.mark.parametrize("name", WORDS)
async def test_after_the_first_words_there_is_no_other_vendor(tmp_path: Path, name: str) -> None:
    """C10: never a second stream on one response; inside a tool call's arguments, too."""
    async with two(tmp_path, streamed(ROLE, WORDS[name], ERROR), streamed(*GOOD)) as s:
        response = await s.post(chat(stream=True))
        body = await response.read()
        assert body.startswith(event(ROLE) + event(WORDS[name]))
        assert b"incomplete_stream" in body
        assert b"[DONE]" not in body
        await s.idle()
        (row,) = settled(s)
    assert row["target"].startswith(f"offer:{FIRST}")


async def test_an_answer_without_words_is_one_if_it_ends(tmp_path: Path) -> None:
    answer = streamed(ROLE, FINISH, usage(8, 0), DONE)
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True))
        assert await response.read() == event(ROLE) + event(FINISH) + event(DONE)
        await s.idle()
        (row,) = settled(s)
    assert (row["outcome"], row["completion_tokens"], row["usage_source"]) == ("ok", 0, "target")


@pytest.mark.parametrize("between", [COMMENT, event(ROLE), event(delta(""))])
async def test_while_it_thinks_only_the_limit_of_the_first_token_counts(
    tmp_path: Path, between: bytes
) -> None:
    """Some 300 ms without words, of which 60 ms would be too long between words."""
    limits = {"stream": {"first_token_ms_max": 20_000, "inter_token_ms_max": 60}}
    thinks = streamed(ROLE, *[between] * 150, b"".join(map(event, GOOD)))
    async with vendor(thinks) as first, market(tmp_path, first, None, limits) as s:
        response = await s.post(chat(stream=True))
        body = await response.read()
        assert body.endswith(event(DONE))
        await s.idle()
        (row,) = settled(s)
    assert row["outcome"] == "ok"
    assert row["ttft_ms"] >= 150 * 2  # the first token is the first word


async def test_comments_do_not_make_the_first_token_limit_longer(tmp_path: Path) -> None:
    limits = {"stream": {"first_token_ms_max": 1_000, "inter_token_ms_max": 20_000}}
    forever = streamed(ROLE, *[COMMENT] * 5_000)
    async with two(tmp_path, forever, streamed(*GOOD), limits) as s:
        response = await s.post(chat(stream=True))
        assert response.headers["x-baseload-target"].startswith(f"offer:{SECOND}")
        await s.idle()
        failed, _ = settled(s)
    assert failed["outcome"].startswith("target_failed")


ENDS: dict[str, list[Any]] = {
    "no empty line": [b"data: [DONE]"],
    "one line end": [b"data: [DONE]\n"],
    "no word that it is the end": [],
}


@pytest.mark.parametrize("name", ENDS)
async def test_a_whole_answer_is_whole(tmp_path: Path, name: str) -> None:
    answer = streamed(ROLE, *GOOD[:-1], *ENDS[name])
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True))
        assert await response.read() == SENT
        await s.idle()
        (row,) = settled(s)
        assert s.gateway.shut_targets() == {}
    assert row["outcome"] == "ok"
    assert row["cost_nano_usd"] == 8 * PROMPT_NANO + 2 * OUTPUT_NANO


async def test_a_last_event_may_lack_its_empty_line(tmp_path: Path) -> None:
    answer = streamed(ROLE, *GOOD[:2], event(FINISH)[:-2])
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True))
        assert await response.read() == SENT
        await s.idle()
        (row,) = settled(s)
    assert (row["outcome"], row["usage_source"]) == ("ok", "estimate")


async def test_a_break_is_no_clean_end(tmp_path: Path) -> None:
    answer = streamed(ROLE, *GOOD[:-1])[:-1]  # without the end of the transfer
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True))
        assert b"incomplete_stream" in await response.read()
        await s.idle()


@pytest.mark.parametrize("line_end", [b"\r", b"\r\n"])
async def test_any_line_end_of_the_standard_is_one(tmp_path: Path, line_end: bytes) -> None:
    writes = [each if isinstance(each, bytes) else event(each) for each in [ROLE, *GOOD]]
    answer = streamed(*[each.replace(b"\n", line_end) for each in writes])
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True))
        assert await response.read() == SENT
        await s.idle()
        assert settled(s)[0]["outcome"] == "ok"


async def test_a_vendor_that_ignores_n_is_told_of(tmp_path: Path) -> None:
    async with vendor(streamed(ROLE, *GOOD)) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True, n=2))
        body = await response.read()
        assert b"1 of 2 answers" in body
        assert b"[DONE]" not in body
        await s.idle()
        (row,) = settled(s)
    assert row["outcome"] == "target_failed: incomplete_stream"
    assert row["cost_nano_usd"] == 8 * PROMPT_NANO + 2 * OUTPUT_NANO


async def test_an_empty_finish_reason_does_not_hold_a_stream_back(tmp_path: Path) -> None:
    answer = streamed(ROLE, delta(" river", ""), delta(" ran", "null"), HANG)
    async with vendor(answer) as first, market(tmp_path, first) as s:
        response = await s.post(chat(stream=True))
        got = b""
        while b" ran" not in got:
            got += await asyncio.wait_for(response.content.readany(), 5)
        response.close()
        await until(lambda: s.in_books() == 0)
        await s.idle()
