"""What one target's trouble means for the next request: to it, to its neighbours, elsewhere."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from runtime.targets.connection_faults import Fault
from scheduler.pool.circuit_breaker import BreakerState, Condition
from tests.runtime.parts import Stack, chat, stack, until
from tests.runtime.raw_vendors import STREAM, Vendor, Visit, content, event, says, vendor, well

A, B = "deepseek-ai/DeepSeek-V3.2", "zai-org/GLM-5"  # two models of one vendor, with prices
OTHERS_A = "deepseek/deepseek-v3.2"  # dearer
FAILURES = 5  # that open a breaker


def _config(first: Vendor, second: Vendor | None = None, **more: Any) -> dict[str, Any]:
    providers = {"deepinfra": first.account(a=A, b=B)}
    if second is not None:
        providers["novita-ai"] = second.account(a=OTHERS_A)
    return {"providers": providers, "queue": {"wait_ms_max": 300}, **more}


def _ask(model: str, **more: Any) -> dict[str, Any]:
    return chat(**{"model": model, **more})


async def _status(s: Stack, model: str) -> int:
    answer = await s.post(_ask(model))
    await answer.read()
    return answer.status


def _conditions(s: Stack) -> dict[str, Condition]:
    snapshot = s.gateway._scheduler.snapshot(asyncio.get_running_loop().time())
    return {view.target.id.partition("/")[2]: view.breaker for view in snapshot.offers}


@pytest.mark.parametrize(
    ("status", "times"), [(404, FAILURES), (500, FAILURES), (429, 1), (529, 1)]
)
async def test_a_models_trouble_leaves_the_vendors_other_models_alone(
    tmp_path: Path, status: int, times: int
) -> None:
    async with vendor(**{A: says(status)}) as v, stack(tmp_path, config=_config(v)) as s:
        for _ in range(times):
            assert await _status(s, "a") >= 429
        shut, well = _conditions(s)[A], _conditions(s)[B]
        assert shut.state is not BreakerState.CLOSED
        assert well.state is BreakerState.CLOSED
        assert await _status(s, "b") == 200


@pytest.mark.parametrize(("status", "refusals"), [(401, 1), (402, 1), (403, FAILURES)])
async def test_an_accounts_trouble_is_that_of_all_its_models(
    tmp_path: Path, status: int, refusals: int
) -> None:
    async with vendor(**{A: says(status)}) as v, stack(tmp_path, config=_config(v)) as s:
        for _ in range(refusals):
            assert await _status(s, "a") >= 429
        assert set(_conditions(s)) == {A, B}
        assert BreakerState.CLOSED not in [each.state for each in _conditions(s).values()]


async def test_a_vendor_that_asks_for_a_pause_gets_it_and_another_is_asked(
    tmp_path: Path,
) -> None:
    limited = says(429, "Retry-After: 120")
    async with (
        vendor(**{A: limited}) as v,
        vendor() as w,
        stack(tmp_path, config=_config(v, w)) as s,
    ):
        for _ in range(3):
            answer = await s.post(_ask("a"))
            assert answer.status == 200
            assert answer.headers["x-baseload-target"] == f"offer:novita-ai/{OTHERS_A}"
        assert v.asked == [A]
        condition = _conditions(s)[A]
        assert 100 < condition.left_s <= 120
        ready = await (await s.http.get(s.url.removesuffix("/v1") + "/ready")).json()
        shut = ready["shut"][f"offer:deepinfra/{A}"]
        assert (shut["state"], shut["cause"]) == ("paused", "rate_limited")
        assert 100 < shut["tried_in_s"] <= 120
        await until(lambda: _shut_s(s) > 100)
        await s.idle()
        assert [row.cost_nano_usd > 0 for row in s.rows()] == [True] * 3


def _shut_s(s: Stack) -> float:
    labels = {"target": f"offer:deepinfra/{A}", "state": "paused", "cause": "rate_limited"}
    registry = s.metrics.registry
    return registry.get_sample_value("baseload_target_shut_seconds", labels) or 0.0


async def test_a_pause_is_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "baseload.targets")
    limited = says(429, "Retry-After: 120")
    async with vendor(**{A: limited}) as v, stack(tmp_path, config=_config(v)) as s:
        await _status(s, "a")
        await until(lambda: "rate_limited" in caplog.text)
        assert f"offer:deepinfra/{A} is paused" in caplog.text


async def test_a_probe_that_has_begun_to_answer_lets_the_others_in(tmp_path: Path) -> None:
    """Its answer may take an hour; its target serves again with the first token of it."""
    go = asyncio.Event()
    states = iter([*[says(500)] * FAILURES, _speaks_and_waits(go)])

    async def answer(visit: Visit) -> None:
        await next(states, says(200))(visit)

    async with vendor(**{A: answer}) as v, stack(tmp_path, config=_config(v)) as s:
        for _ in range(FAILURES):
            assert await _status(s, "a") >= 429
        assert _conditions(s)[A].state is not BreakerState.CLOSED
        await until(lambda: not _conditions(s)[A].is_shut)
        probe = await s.post(_ask("a", stream=True))
        assert probe.status == 200
        v.answers.clear()
        assert await _status(s, "a") == 200
        go.set()
        probe.close()


def _speaks_and_waits(go: asyncio.Event) -> Any:
    async def answer(visit: Visit) -> None:
        visit.say(STREAM + event(content("yes")))
        await go.wait()

    return answer


async def test_a_kept_connection_that_the_vendor_closes_costs_nothing(tmp_path: Path) -> None:
    async def once(visit: Visit) -> None:
        if visit.served:
            visit.writer.close()
        else:
            await well(visit)

    async with vendor(**{A: once}) as v, stack(tmp_path, config=_config(v)) as s:
        for _ in range(3):
            assert await _status(s, "a") == 200
        await s.idle()
        assert [(row.attempts, row.outcome) for row in s.rows()] == [(1, "ok")] * 3
        assert len(v.asked) == 5
        assert _conditions(s)[A].state is BreakerState.CLOSED
        faults = s.gateway.connector.faults.counts
        assert faults == {(f"offer:deepinfra/{A}", Fault.STALE): 2}


async def test_a_connection_that_cannot_be_had_is_told_to_operators_and_not_to_clients(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with vendor() as v:
        pass  # its port is closed now
    async with stack(tmp_path, config=_config(v)) as s:
        answer = await s.post(_ask("a"))
        port = v.url.rpartition(":")[2].partition("/")[0]
        assert port not in await answer.text()
        assert f"offer:deepinfra/{A}: no connection to 127.0.0.1:{port} (refused)" in caplog.text
        registry = s.metrics.registry
        labels = {"target": f"offer:deepinfra/{A}", "cause": "refused"}
        await until(lambda: bool(registry.get_sample_value("baseload_connection_faults", labels)))
