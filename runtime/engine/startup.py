"""Starts an engine up to its first token, or says in one line why there is none.

An engine whose first token ends in SIGILL is started once more with fewer instructions: what a
processor advertises is not always what runs on it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from runtime.engine import instruction_set
from runtime.engine.engine_settings import EngineSettings
from runtime.engine.exit_codes import ended, exit_codes, started
from runtime.engine.instruction_set import FORCED_ENV, Choice, InstructionSet
from runtime.engine.process_log import OwnLog
from runtime.engine.start_failure_diagnosis import Death, diagnose, tail
from runtime.engine.vllm_adapter.engine import VllmEngine
from runtime.errors import BaseloadError
from runtime.start_failed import StartFailed

Say = Callable[[str], None]


@dataclass
class _Attempt:
    """One start. ``engine`` is None until vLLM has loaded the model."""

    settings: EngineSettings
    choice: Choice
    log: OwnLog
    before: frozenset[BaseProcess]
    engine: VllmEngine | None = None

    async def run(self, token: str) -> VllmEngine:
        self.engine = await VllmEngine.start(self.settings, token)
        for rank in range(self.engine.facts.ranks):
            await self.engine.probe(rank)  # the first token compiles what is compiled lazily
        return self.engine

    def death(self, error: BaseException) -> Death:
        return diagnose(error, exit_codes(self.before), self.log.lines())

    def failure(self, death: Death) -> StartFailed:
        when = "at its first token" if self.engine is not None else "while it loaded"
        failure = _failure(self.settings.model, death, self.log, when)
        if death.by is signal.SIGILL and self.choice.instruction_set is InstructionSet.AMX:
            failure.message += f"; {FORCED_ENV}={InstructionSet.AVX512} starts it without AMX"
        return failure

    def next_choice(self, death: Death) -> Choice | None:
        """Where a forward met an illegal instruction; a signal while it loads is another fault."""
        if self.engine is None or death.by is not signal.SIGILL:
            return None
        return self.choice.after_illegal_instruction()


async def start_engine(settings: EngineSettings, token: str, say: Say) -> VllmEngine:
    """Returns when each rank has generated a token. StartFailed says why it does not.

    ``say`` is told in one line when the engine uses less than the processor advertises.
    """
    _check_checkpoint(settings)
    choice: Choice | None = instruction_set.choose()
    while choice is not None:
        if choice.lowered_because is not None:
            say(f"engines of {settings.model} run without AMX: {choice.lowered_because}")
        instruction_set.hand_down(choice)
        attempt = _Attempt(settings, choice, OwnLog(), started())
        try:
            return await attempt.run(token)
        except BaseloadError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever vLLM raises
            death = attempt.death(error)
            failure = attempt.failure(death)
        if attempt.engine is not None:
            attempt.engine.close()
        choice = attempt.next_choice(death)
    raise failure


class Served:
    """An engine's life after its start: made then, asked for the cause when it is dead."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._log = OwnLog()
        self._ended = ended()  # of a start before this one

    def end(self) -> StartFailed:
        death = diagnose(None, exit_codes(self._ended), self._log.lines())
        return _failure(self._model, death, self._log, "while it served")


def _failure(model: str, death: Death, log: OwnLog, when: str) -> StartFailed:
    line = f"an engine of {model} {death.in_words(when)}"
    return StartFailed(line, str(log.path), tail(log.lines()))


def _check_checkpoint(settings: EngineSettings) -> None:
    folder = settings.checkpoint
    if folder.is_absolute() and not (folder / "config.json").is_file():
        raise StartFailed(
            f"an engine of {settings.model} has no checkpoint: there is no {folder}/config.json "
            "on this node; `checkpoint` names the folder of the weights"
        )
