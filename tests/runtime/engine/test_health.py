"""Alive is who generates tokens."""

from __future__ import annotations

import asyncio

import pytest

from runtime.engine.health import STALL_S_MAX, EngineUnhealthy, HealthCheck
from runtime.engine.load_meter import LoadMeter


class _Probe:
    def __init__(self) -> None:
        self.probes = 0
        self.hangs = False

    async def __call__(self) -> None:
        self.probes += 1
        if self.hangs:
            await asyncio.Event().wait()


def _state(meter: LoadMeter, running: int) -> None:
    meter.on_state(running=running, waiting=0, kv_usage=0, hit_tokens=0)


def _token(meter: LoadMeter) -> None:
    meter.on_step(0, prompt_tokens=0, output_tokens=1, preempted=0)


async def test_an_idle_engine_is_asked_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.engine.health.PROBE_S_MAX", 0.05)
    probe = _Probe()
    health = HealthCheck(LoadMeter(), probe)
    await health.check(0.0)
    assert probe.probes == 1
    probe.hangs = True
    with pytest.raises(EngineUnhealthy, match="idle"):
        await health.check(1.0)


async def test_a_probe_that_waits_behind_work_is_no_sign_of_death(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests may come as it begins, and be served before it."""
    monkeypatch.setattr("runtime.engine.health.PROBE_S_MAX", 0.05)
    meter = LoadMeter()

    async def overtaken() -> None:
        _token(meter)
        await asyncio.Event().wait()

    await HealthCheck(meter, overtaken).check(0.0)


async def test_what_the_probe_raises_is_not_hidden() -> None:
    async def broken() -> None:
        raise RuntimeError("engine dead")

    with pytest.raises(RuntimeError, match="engine dead"):
        await HealthCheck(LoadMeter(), broken).check(0.0)


async def test_a_busy_engine_must_advance_and_is_not_probed() -> None:
    meter, probe = LoadMeter(), _Probe()
    health = HealthCheck(meter, probe)
    _state(meter, 3)
    await health.check(100.0)
    await health.check(100.0 + STALL_S_MAX)
    with pytest.raises(EngineUnhealthy, match="3 requests"):
        await health.check(100.1 + STALL_S_MAX)
    assert probe.probes == 0


async def test_any_token_is_a_sign_of_life() -> None:
    meter, probe = LoadMeter(), _Probe()
    health = HealthCheck(meter, probe)
    _state(meter, 1)
    for poll in range(5):
        _token(meter)
        await health.check(poll * STALL_S_MAX * 0.9)


async def test_a_stall_begins_with_the_work_not_with_the_idleness_before() -> None:
    meter, probe = LoadMeter(), _Probe()
    health = HealthCheck(meter, probe)
    await health.check(0.0)
    await health.check(1_000.0)
    _state(meter, 1)
    await health.check(1_001.0)
