"""A request waits while the configuration changes: what its rule and the laws ask now holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runtime.config import load_config
from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import MODEL, Stack, chat, stack, until
from tests.runtime.test_compliance import ABROAD as LEFT_HOME
from tests.runtime.test_compliance import AT_HOME, EMAIL, config
from tests.runtime.test_rules import HERE, OTHER

SLOW = (Script(token_s=0.3),)
ABROAD = {"compliance": {"own": {"inference_jurisdictions": ["us"]}}}
Waits = asyncio.Task[aiohttp.ClientResponse]


def rule(**asks: Any) -> dict[str, Any]:
    return {"rules": {"help": {"tasks": ["help"], "candidates": [MODEL], **asks}}, **ABROAD}


@asynccontextmanager
async def waiting(
    tmp_path: Path, model: str = "help", law: Any = None
) -> AsyncIterator[tuple[Stack, Waits]]:
    """A gateway whose one place is taken, and a request that waits for it."""
    async with stack(tmp_path, scripts=SLOW, max_num_seqs=1, config=law or rule()) as s:
        await s.post(chat(max_tokens=40, stream=True))
        await until(lambda: len(s.replicas[0].engine.asked) == 1)
        waits = asyncio.create_task(s.post(chat(EMAIL if law else "hello") | {"model": model}))
        await until(lambda: s.in_books() == 2)
        yield s, waits


@pytest.mark.parametrize(
    "asks", [{"allowed_sensitivity": ["public"]}, {"inference_within": ["cn"]}]
)
async def test_what_no_place_may_have_any_more_is_refused_at_once(
    tmp_path: Path, asks: dict[str, Any]
) -> None:
    async with waiting(tmp_path) as (s, waits):
        changed_s = time.monotonic()
        s.gateway.reconfigure(load_config(rule(**asks)))
        answer = await waits
        assert time.monotonic() - changed_s < 5  # the place is taken for longer
        assert (answer.status, (await answer.json())["error"]["code"]) == (
            403,
            "no_compliant_target",
        )
        assert "configuration has changed" in await answer.text()
        assert s.in_books() == 1
        assert len(s.replicas[0].engine.asked) == 1


@pytest.mark.parametrize(
    ("model", "asks"),
    [("help", {"inference_within": ["us"]}), (MODEL, {"allowed_sensitivity": ["public"]})],
)
async def test_others_wait_on(tmp_path: Path, model: str, asks: dict[str, Any]) -> None:
    """A change that still lets them go there, and a rule that they do not follow."""
    async with waiting(tmp_path, model) as (s, waits):
        s.gateway.reconfigure(load_config(rule(**asks)))
        await asyncio.sleep(0.1)
        assert not waits.done()
        s.opened[0].close()
        assert (await waits).status == 200


async def test_a_law_that_closes_every_place_ends_the_wait_of_a_named_model_too(
    tmp_path: Path,
) -> None:
    async with waiting(tmp_path, MODEL, config("pipl", own=AT_HOME)) as (s, waits):
        s.gateway.reconfigure(load_config(config("pipl", own=LEFT_HOME)))
        assert (await waits).status == 403
        assert s.in_books() == 1


async def test_a_rule_that_closed_a_place_keeps_the_next_attempt_from_it(tmp_path: Path) -> None:
    """The first model has failed after the change: the second was planned, and may not have it."""
    slow_to_fail = (Script(first_token_s=0.5, fault=Fault.DIE),)
    candidates = {"candidates": [MODEL, OTHER]}
    async with stack(tmp_path, scripts=slow_to_fail, others=HERE, config=rule(**candidates)) as s:
        asking = asyncio.create_task(s.post(chat() | {"model": "help"}))
        await until(lambda: s.asked == 1)
        s.gateway.reconfigure(load_config(rule(**candidates, allowed_sensitivity=["public"])))
        answer = await asking
        assert (answer.status, s.asked) == (403, 1)
