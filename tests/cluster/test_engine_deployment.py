"""How an engine lists itself and what is left of one that did not start; starting one takes a
stack: tests/stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster import engine_deployment as module
from cluster.engine_deployment import Engine, StandIn, registrations
from cluster.run.start_report import Phase, folder, read
from cluster.state_folder import STATE_ENV
from runtime.engine.engine_settings import EngineFacts, EngineSettings
from runtime.errors import BaseloadError, ConfigError
from runtime.run_mark import RUN_ENV
from runtime.start_failed import StartFailed
from scheduler.replica import EngineLimits

FACTS = EngineFacts(
    model="m",
    engine="vllm",
    limits=EngineLimits(1000, 100, 8, 64, kv_block_tokens=16),
    started_s=1.0,
)


def test_an_engine_of_one_rank_is_one_replica() -> None:
    (entry,) = registrations(FACTS, "x1", "http://h:1", "s3cret")
    assert (entry.replica_id, entry.base_url) == ("m-x1", "http://h:1/v1")
    assert entry.replica.limits == FACTS.limits
    assert (entry.replica.model, entry.replica.generation > 0) == ("m", True)
    assert "s3cret" not in repr(entry)


def test_each_rank_of_an_engine_is_a_replica_with_its_own_cache() -> None:
    entries = registrations(FACTS.model_copy(update={"ranks": 3}), "x1", "http://h:1", "t")
    assert [entry.replica_id for entry in entries] == ["m-x1-rank-0", "m-x1-rank-1", "m-x1-rank-2"]
    assert [entry.base_url for entry in entries] == [
        f"http://h:1/rank/{rank}/v1" for rank in range(3)
    ]
    assert {entry.replica.limits.kv_tokens_max for entry in entries} == {1000}
    assert len({entry.replica.generation for entry in entries}) == 1


class HalfEngine(Engine):
    """Serve awaits ``__del__``; the interpreter only calls it."""

    def __del__(self) -> None: ...  # type: ignore[override]


class HalfStandIn(StandIn):
    def __del__(self) -> None: ...  # type: ignore[override]


SETTINGS = EngineSettings(model="m", checkpoint=Path("m"))


@pytest.mark.parametrize("error", [StartFailed("why", "/log", ["a"]), ConfigError("why")])
@pytest.mark.parametrize("kind", [Engine, StandIn])
async def test_a_replica_that_does_not_start_says_why_and_nothing_else(
    kind: type[Engine] | type[StandIn],
    error: BaseloadError,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start_engine(*_: Any) -> None:
        raise error

    monkeypatch.setattr(module, "start_engine", start_engine)
    monkeypatch.setenv("KEY", "k")
    monkeypatch.setenv(STATE_ENV, str(tmp_path))
    monkeypatch.setenv(RUN_ENV, "cafe")
    given: tuple[Any, ...] = (SETTINGS, "127.0.0.1", None, 0.0)
    half: Any = HalfEngine.__new__(HalfEngine)
    if kind is StandIn:
        given, half = (SETTINGS, "127.0.0.1", 0, "KEY"), HalfStandIn.__new__(HalfStandIn)
    with pytest.raises(StartFailed, match="why"):
        await half.__init__(*given)
    await kind.__del__(half)
    (report,) = read(folder(tmp_path, "cafe"))
    assert (report.part, report.phase, report.failure) == (
        "an engine of m",
        Phase.FAILED,
        "why",
    )
