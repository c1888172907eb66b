"""Acceptance 5 by a given clock: how busy the machine is counts for nothing.

The clock moves on only once nothing has come for a while: no bytes, and no word of a thread.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runtime.clock import Clock
from tests.runtime.parts import chat
from tests.runtime.test_attempt_limits import GOOD, STALLS
from tests.runtime.vendors import markets, vendor

LIMITS_MS = [300, 400, 500]
MARGIN_S = 0.1
QUIET_S = 0.05  # of real time, in which nothing came


class _Selector(selectors.DefaultSelector):
    now_s = 1_000.0

    def select(self, timeout: float | None = None) -> Any:
        quiet_s = QUIET_S if timeout is None else min(timeout, QUIET_S)
        events = super().select(quiet_s)
        if not events and timeout is not None:
            self.now_s += timeout
        return events


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.moving = _Selector()
        super().__init__(self.moving)

    def time(self) -> float:
        return self.moving.now_s


def by_the_clock(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(work)


def clock() -> Clock:
    now_s = asyncio.get_running_loop().time
    began_ms = 1_790_000_000_000
    return Clock(now_s, lambda: round(now_s() * 1e9), lambda: began_ms + round(now_s() * 1000))


async def stalled(
    tmp_path: Path, requests: int, config: dict[str, Any], stalls: int = 3
) -> tuple[list[int], list[float], Counter[tuple[str, str]]]:
    """Statuses, seconds that each took, and how often each vendor had each request."""
    async with AsyncExitStack() as exits:
        vendors = [
            await exits.enter_async_context(vendor(STALLS["no words"] if number < stalls else GOOD))
            for number in range(3)
        ]
        made = markets(tmp_path, vendors, config, clock=clock())
        s = await exits.enter_async_context(made)
        now_s = asyncio.get_running_loop().time
        all_at_once = aiohttp.TCPConnector(limit=0)  # its own limit is 100: others would wait
        http = await exits.enter_async_context(
            aiohttp.ClientSession(connector=all_at_once, headers=s.http.headers)
        )

        async def ask(number: int) -> tuple[int, float]:
            began_s = now_s()
            body = chat(f"request {number}", stream=True)
            answer = await http.post(f"{s.url}/chat/completions", json=body)
            took_s = now_s() - began_s  # to the first token, or the error
            await answer.read()
            return answer.status, took_s

        found = await asyncio.gather(*(ask(number) for number in range(requests)))
        await s.idle()
    asked = Counter(
        (each.url, body["messages"][0]["content"]) for each in vendors for body in each.asked
    )
    return [status for status, _ in found], [took for _, took in found], asked


def test_all_stall_in_turn_and_the_error_comes_within_100_ms_of_the_limits(
    tmp_path: Path,
) -> None:
    config = {"stream": {"first_token_ms": LIMITS_MS, "attempts_max": 3}}

    async def work() -> None:
        statuses, took_s, asked = await stalled(tmp_path, 1, config)
        assert statuses == [502]
        limit_s = sum(LIMITS_MS) / 1000
        assert limit_s <= took_s[0] <= limit_s + MARGIN_S
        assert sorted(asked.values()) == [1, 1, 1]

    by_the_clock(work())


@pytest.mark.parametrize("stalls", [1, 2])
def test_the_first_token_comes_within_100_ms_of_the_limits_before_it(
    tmp_path: Path, stalls: int
) -> None:
    config = {"stream": {"first_token_ms": LIMITS_MS, "attempts_max": 3}}

    async def work() -> None:
        statuses, took_s, asked = await stalled(tmp_path, 1, config, stalls)
        assert statuses == [200]
        limit_s = sum(LIMITS_MS[:stalls]) / 1000
        assert limit_s <= took_s[0] <= limit_s + MARGIN_S
        assert sorted(asked.values()) == [1] * (stalls + 1)

    by_the_clock(work())


def test_200_at_once_end_by_their_deadline_and_make_no_storm(tmp_path: Path) -> None:
    config = {"stream": {"request_ms_max": 3_000, "first_token_ms": [300], "attempts_max": 2}}

    async def work() -> None:
        statuses, took_s, asked = await stalled(tmp_path, 200, config)
        assert set(statuses) <= {429, 502, 503, 504}
        assert max(took_s) <= 3.0 + MARGIN_S
        assert max(asked.values()) == 1
        assert max(Counter(text for _, text in asked).values()) <= 2

    by_the_clock(work())
