"""C10: a replica that dies mid-answer, and its twin that goes on with the same tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.fault_script import Fault, Script
from runtime.engine.scripted_answer import WORD_ID
from tests.runtime.greedy import GREEDY, SAID, TOKENS, breaks, plain, told, told_without_a_break
from tests.runtime.parts import MODEL, chat, stack, until
from tests.runtime.pupil import Pupil
from tests.runtime.vendors import settled

FAULTS = [Fault.DIE, Fault.ERROR_FRAME, Fault.NO_DONE, Fault.NO_FINISH, Fault.NOT_JSON]
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
OFTEN: dict[str, Any] = {
    "stream_options": {"include_usage": True, "continuous_usage_stats": True},
}
AGAIN = 4  # tokens that the twin has to say again


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Fault.DIE, 1), (Fault.DIE, 4), (Fault.DIE, 5), *((fault, SAID) for fault in FAULTS)],
)
async def test_c10_the_client_gets_what_it_would_have_got(
    tmp_path: Path, fault: Fault, said: int
) -> None:
    body = chat(max_tokens=TOKENS, **GREEDY, **USAGE)
    usual = await told_without_a_break(tmp_path, body)
    async with stack(tmp_path, scripts=breaks(fault, said)) as s:
        frames = await told(s, body)
        await s.idle()
        (row,) = settled(s)
    assert plain(frames) == plain(usual)
    assert frames[-1] == b"data: [DONE]"
    assert (row["outcome"], row["usage_source"]) == ("ok", "target")
    assert row["completion_tokens"] == TOKENS
    assert row["prompt_tokens"] == frames[-2]["usage"]["prompt_tokens"]


async def test_c10_one_bill_for_the_time_of_both(tmp_path: Path) -> None:
    scripts = [Script(fault=Fault.DIE, after_tokens=SAID, token_s=0.02), Script(token_s=0.02)]
    async with stack(tmp_path, scripts=scripts) as s:
        await told(s, chat(max_tokens=TOKENS, **GREEDY))
        await s.idle()
        (ended,), row, clocks = settled(s), s.row(), s.gateway.locals
        # Nobody else was there, so a request has all of a replica's time.
        shares_ns = [each.clock._state().clock.virtual_ns for each in clocks.values()]
    assert (row.attempts, row.completion_tokens) == (1, TOKENS)
    assert min(shares_ns) > 0.1e9
    assert f"x {sum(shares_ns)} ns" in ended["derivation"]
    assert ended["derivation"].endswith(f", continued by local:r2 after {SAID} tokens")
    assert row.cost_nano_usd == ended["cost_nano_usd"]


async def test_c11_the_twin_is_sent_token_ids_and_what_is_left_of_the_limits(
    tmp_path: Path,
) -> None:
    body = chat("hello", max_tokens=TOKENS, min_tokens=6, seed=3, logit_bias={"7": 1}, **GREEDY)
    async with stack(tmp_path, scripts=breaks()) as s:
        await told(s, body)
        await s.idle()
        (first,), (asked,) = (each.engine.asked for each in s.replicas)
    assert first.body["return_token_ids"] is True
    assert asked.path == "/v1/completions"
    had = SAID - AGAIN
    assert asked.body == {
        "model": MODEL,
        "prompt": [1, 2, *range(WORD_ID, WORD_ID + had)],
        "temperature": 0.0,
        "max_tokens": TOKENS - had,
        "min_tokens": 6 - had,
        "seed": 3,
        "logit_bias": {"7": 1.0},
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": False},
        "return_token_ids": True,
    }


async def test_c10_without_a_limit_the_twin_has_what_the_context_leaves(tmp_path: Path) -> None:
    body = chat(**GREEDY)
    del body["max_tokens"]
    async with stack(tmp_path, scripts=breaks()) as s:
        await told(s, body)
        await s.idle()
        (asked,) = s.replicas[1].engine.asked
    assert asked.body["max_tokens"] + len(asked.body["prompt"]) == 4096


@pytest.mark.parametrize("options", [USAGE, OFTEN])
async def test_c10_a_completion_is_gone_on_with_too(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    body = {"model": MODEL, "prompt": "Tell me: ", "max_tokens": TOKENS, **GREEDY, **options}
    usual = await told_without_a_break(tmp_path, body, "/completions")
    async with stack(tmp_path, scripts=breaks()) as s:
        assert plain(await told(s, body, "/completions")) == plain(usual)
        await s.idle()


async def test_c10_usage_in_each_frame_is_that_of_the_whole_answer(tmp_path: Path) -> None:
    body = chat(max_tokens=TOKENS, **GREEDY, **OFTEN)
    usual = await told_without_a_break(tmp_path, body)
    async with stack(tmp_path, scripts=breaks()) as s:
        frames = await told(s, body)
        await s.idle()
    assert [each["usage"] for each in frames[:-2]] == [each["usage"] for each in usual[:-2]]


async def test_a_client_sees_no_ids_that_it_has_not_asked_for(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(), Script()]) as s:
        for path, prompt in (("/chat/completions", {}), ("/completions", {"prompt": "hi"})):
            body = {**chat(max_tokens=TOKENS, **GREEDY), **prompt}
            if prompt:
                del body["messages"]
            answer = await (await s.post(body, path=path)).read()
            assert b"river" in answer
            assert b"token_ids" in answer
            assert answer.count(b"token_ids") == answer.count(b'token_ids":null')
        await s.idle()
        assert all(each.body["return_token_ids"] for r in s.replicas for each in r.engine.asked)


async def test_who_has_asked_for_ids_gets_them(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(), Script()]) as s:
        frames = await told(s, chat(max_tokens=2, return_token_ids=True, **GREEDY))
        await s.idle()
    assert frames[0]["prompt_token_ids"] == [1, 2]
    assert frames[1]["choices"][0]["token_ids"] == [WORD_ID]


async def test_a_twin_that_breaks_off_too_is_gone_on_with_as_often_as_attempts_are_left(
    tmp_path: Path,
) -> None:
    body = chat(max_tokens=TOKENS, **GREEDY, **USAGE)
    usual = await told_without_a_break(tmp_path, body)
    twins = [*breaks(after_tokens=3)[:1], *breaks(after_tokens=SAID)]
    config = {"stream": {"attempts_max": 3}}
    async with stack(tmp_path, scripts=twins, config=config) as s:
        assert plain(await told(s, body)) == plain(usual)
        await s.idle()
        (row,) = settled(s)
    words = "continued by local:r2 after 3 tokens, continued by local:r3 after 8 tokens"
    assert row["derivation"].endswith(words)
    assert row["completion_tokens"] == TOKENS


async def test_it_is_learned_from_as_from_any_whole_answer(tmp_path: Path) -> None:
    learned = []
    for name, scripts in (("well", [Script(), Script()]), ("broken", breaks())):
        (tmp_path / name).mkdir()
        async with stack(tmp_path / name, scripts=scripts) as s:
            pupil = s.gateway.estimator = Pupil()
            await told(s, chat(max_tokens=TOKENS, **GREEDY))
            await s.idle()
            learned.append((pupil.prompts, pupil.answers))
    assert learned == [([2], [(TOKENS, False)])] * 2


async def test_a_stream_that_stalls_is_gone_on_with(tmp_path: Path) -> None:
    config = {"stream": {"inter_token_ms_max": 300}}
    async with stack(tmp_path, scripts=breaks(Fault.HANG), config=config) as s:
        frames = await told(s, chat(max_tokens=TOKENS, **GREEDY))
        assert frames[-1] == b"data: [DONE]"
        await s.idle()
        assert s.replicas[0].engine.aborted
        assert settled(s)[0]["outcome"] == "ok"


@pytest.mark.parametrize("last", [Script(), Script(fault=Fault.SERVER_ERROR)])
async def test_a_rival_that_breaks_off_is_gone_on_with_as_well(
    tmp_path: Path, last: Script
) -> None:
    """To the scheduler a rival is a request of its own."""
    config = {"stream": {"hedge_after_ms": 200, "attempts_max": 3}}
    scripts = [Script(fault=Fault.HANG), *breaks()[:1], last]
    async with stack(tmp_path, scripts=scripts, config=config) as s:
        frames = await told(s, chat(max_tokens=TOKENS, **GREEDY))
        await s.idle()
        lost, won = settled(s)
    assert lost["outcome"].endswith("hedge_lost")
    if last.fault is None:
        assert frames[-1] == b"data: [DONE]"
        assert (won["outcome"], won["completion_tokens"]) == ("ok", TOKENS)
        assert won["derivation"].endswith(f"continued by local:r3 after {SAID} tokens")
    else:
        assert frames[-1]["error"]["tokens_billed"] == won["completion_tokens"] == SAID


async def test_the_log_and_the_metrics_say_that_it_was_continued(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=breaks()) as s:
        await told(s, chat(max_tokens=TOKENS, **GREEDY))
        await s.idle()
        labels = {"model": MODEL, "place": "local", "reason": "continued", "outcome": "ok"}
        ended = s.metrics.registry.get_sample_value("baseload_attempts_total", labels)
    assert ended == 1


async def test_it_waits_for_room_at_a_twin_and_is_not_bought(tmp_path: Path) -> None:
    config = {"ttft_budget_ms": 200}  # then it would be bought
    async with stack(tmp_path, scripts=breaks(), sells=True, max_num_seqs=1, config=config) as s:
        for replica, tokens in zip(s.replicas, (SAID - 1, 1), strict=True):
            replica.engine.turnstile.hold(after_tokens=tokens)
        first, second = (each.engine for each in s.replicas)
        frames = asyncio.ensure_future(told(s, chat(max_tokens=TOKENS, **GREEDY)))
        await until(lambda: len(first.asked) == 1)
        other = await s.post(chat(stream=True))
        assert other.headers["x-baseload-target"] == "local:r2"
        first.turnstile.open()
        await until(lambda: not first.running)
        await asyncio.sleep(0.6)
        assert len(second.asked) == 1
        second.turnstile.open()
        assert (await frames)[-1] == b"data: [DONE]"
        assert len(second.asked) == 2
        await other.read()
        await s.idle()
        assert not s.vendor.engine.asked
