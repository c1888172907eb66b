"""What answers teach about prompts and lengths, and what those that were cut off teach."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import MODEL, Stack, chat, stack, until
from tests.runtime.pupil import Pupil

ENDED, CUT = (16, True), (5, False)  # an unbounded answer of the scripted engine; a bounded one


def _pupil(s: Stack) -> Pupil:
    s.gateway.estimator = Pupil()
    return s.gateway.estimator


@pytest.mark.parametrize("streamed", [True, False])
async def test_an_answer_teaches_its_prompt_and_its_length(tmp_path: Path, streamed: bool) -> None:
    async with stack(tmp_path) as s:
        pupil = _pupil(s)
        for fields in ({"max_tokens": None}, {}, {"max_tokens": None, "n": 2}, {"n": 2}):
            body = chat("word " * 100, stream=streamed, **fields)
            answer = await s.post(body, X_Baseload_Task="label")
            await answer.read()
        assert pupil.answers == [ENDED, CUT, ENDED, CUT]  # of several answers, their mean
        assert pupil.prompts == [126] * 4
        assert {kind[:3] for kind in pupil.kinds} == {("acme", "label", MODEL)}


async def test_token_ids_teach_a_length_but_no_prompt(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        pupil = _pupil(s)
        body = {"model": MODEL, "prompt": [1, 2, 3], "max_tokens": 5}
        assert (await s.post(body, path="/completions")).status == 200
        assert (pupil.prompts, pupil.answers) == ([], [CUT])


async def test_an_interrupted_answer_teaches_that_answers_are_at_least_so_long(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path, scripts=[Script(token_s=0.02)]) as s:
        pupil = _pupil(s)
        answer = await s.post(chat(stream=True, max_tokens=1_000))
        await answer.content.readany()
        await asyncio.sleep(0.1)
        answer.close()
        await s.idle()
        await until(lambda: bool(pupil.answers))
        ((tokens, is_complete),) = pupil.answers
        assert 2 <= tokens == s.row().completion_tokens < 100
        assert (is_complete, pupil.prompts) == (False, [])


@pytest.mark.parametrize(
    ("mark", "answers"),
    [("[fault:die:3]", [(3, False)]), ("[fault:reject]", []), ("[fault:server_error]", [])],
)
async def test_a_broken_answer_is_one_that_was_cut_off(
    tmp_path: Path, mark: str, answers: list[Any]
) -> None:
    async with stack(tmp_path, scripts=[Script()] * 2) as s:
        pupil = _pupil(s)
        await (await s.post(chat(mark, stream=True))).read()
        assert (pupil.answers, pupil.prompts) == (answers, [])


async def test_a_client_that_leaves_before_the_first_token_teaches_nothing(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(fault=Fault.HANG)]) as s:
        pupil = _pupil(s)
        asking = asyncio.ensure_future(s.post(chat(stream=True)))
        await until(lambda: s.asked == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await s.idle()
        assert (pupil.answers, pupil.prompts) == ([], [])
