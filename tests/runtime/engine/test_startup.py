"""How often an engine is started, and what is said of a start. With real engines: tests/stack."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runtime.engine import instruction_set, startup
from runtime.engine.engine_settings import EngineFacts, EngineSettings
from runtime.engine.exit_codes import ended
from runtime.engine.instruction_set import CHOSEN_ENV, FORCED_ENV, ONEDNN_ENV, Amx
from runtime.engine.startup import Served, start_engine
from runtime.engine.vllm_adapter.engine import VllmEngine
from runtime.errors import ConfigError
from runtime.start_failed import StartFailed
from scheduler.replica import EngineLimits

FACTS = EngineFacts(
    model="m",
    engine="vllm",
    limits=EngineLimits(1, 1, 1, 1),
    ranks=2,
    started_s=0.0,
)


@dataclass
class Started:
    """In a vLLM engine's place; ``code`` is the exit code of its process, 0 while it lives."""

    code: int
    probed: list[int] = field(default_factory=list)
    closed: bool = False
    facts = FACTS

    async def probe(self, rank: int) -> None:
        self.probed.append(rank)
        if self.code:
            raise RuntimeError("EngineCore encountered an issue. See stack trace (above).")

    def close(self) -> None:
        self.closed = True


@dataclass
class Starts:
    """``codes``: for each start in turn the exit code at its first token, 0 for none, or what the
    loading raises."""

    codes: list[int | BaseException]
    made: list[Started] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    async def start(self, settings: EngineSettings, token: str) -> Any:
        self.sets.append(os.environ[CHOSEN_ENV])
        code = self.codes[len(self.sets) - 1]
        if isinstance(code, BaseException):
            raise code
        self.made.append(Started(code))
        return self.made[-1]

    async def run(self, checkpoint: Path = Path("m")) -> Any:
        return await start_engine(
            EngineSettings(model="m", checkpoint=checkpoint), "token", self.said.append
        )


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    made = Starts([0])
    monkeypatch.setattr(VllmEngine, "start", made.start)
    monkeypatch.setattr(instruction_set, "look", lambda: Amx(advertised=True))
    monkeypatch.setattr(startup, "exit_codes", lambda _: [made.made[-1].code] if made.made else [])
    for name in (CHOSEN_ENV, ONEDNN_ENV, FORCED_ENV):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return made


async def test_a_start_ends_with_a_token_of_each_rank(starts: Starts) -> None:
    engine = await starts.run()
    assert engine.probed == [0, 1]
    assert starts.sets == ["amx"]
    assert starts.said == []


async def test_sigill_at_the_first_token_starts_it_again_without_amx(starts: Starts) -> None:
    starts.codes = [-4, 0]
    engine = await starts.run()
    assert starts.sets == ["amx", "avx512"]
    assert [each.closed for each in starts.made] == [True, False]
    assert engine is starts.made[1]
    assert starts.said == ["engines of m run without AMX: an engine died of SIGILL with it"]


async def test_a_second_sigill_is_the_end(starts: Starts) -> None:
    starts.codes = [-4, -4]
    with pytest.raises(StartFailed, match="an engine of m died of SIGILL at its first token") as it:
        await starts.run()
    assert len(starts.made) == 2
    assert all(each.closed for each in starts.made)
    assert FORCED_ENV not in it.value.message


@pytest.mark.parametrize("code", [-11, -9, 1])
async def test_another_death_is_not_tried_again(code: int, starts: Starts) -> None:
    starts.codes = [code, 0]
    with pytest.raises(StartFailed, match="at its first token"):
        await starts.run()
    assert len(starts.made) == 1


async def test_sigill_while_it_loads_is_no_forward(starts: Starts) -> None:
    text = "Engine core initialization failed. Failed core proc(s): {'EngineCore': -4}"
    starts.codes = [RuntimeError(text), 0]
    with pytest.raises(StartFailed, match="died of SIGILL while it loaded") as it:
        await starts.run()
    assert len(starts.sets) == 1
    assert it.value.message.endswith("; BASELOAD_CPU_ISA=avx512 starts it without AMX")


async def test_a_forced_instruction_set_stays(
    starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FORCED_ENV, "amx")
    starts.codes = [-4, 0]
    with pytest.raises(StartFailed):
        await starts.run()
    assert starts.sets == ["amx"]


async def test_what_is_lowered_from_the_first_is_said_once(
    starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruction_set, "look", lambda: Amx(True, "there are no tiles"))
    await starts.run()
    assert starts.sets == ["avx512"]
    assert starts.said == ["engines of m run without AMX: there are no tiles"]


async def test_a_missing_checkpoint_is_named_before_vllm_is_asked(
    starts: Starts, tmp_path: Path
) -> None:
    with pytest.raises(StartFailed, match=f"there is no {tmp_path}/config.json"):
        await starts.run(tmp_path)
    assert starts.sets == []
    (tmp_path / "config.json").write_text("{}")
    await starts.run(tmp_path)


async def test_our_own_refusal_passes_as_it_is(starts: Starts) -> None:
    starts.codes = [ConfigError("vLLM refuses the flags of m")]
    with pytest.raises(ConfigError, match="refuses the flags"):
        await starts.run()


@pytest.mark.parametrize("error", [SystemExit(2), ValueError("no\nroom")])
async def test_whatever_vllm_raises_is_one_line(error: BaseException, starts: Starts) -> None:
    starts.codes = [error]
    with pytest.raises(StartFailed) as it:
        await starts.run()
    assert f"an engine of m failed while it loaded: {type(error).__name__}: " in it.value.message
    assert "\n" not in it.value.message


def test_the_end_of_an_engine_that_had_started(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ended()
    monkeypatch.setattr(startup, "exit_codes", lambda known: [-9] if known == before else [-4])
    failure = Served("m").end()
    assert failure.message.startswith("an engine of m died of SIGKILL while it served: ")
