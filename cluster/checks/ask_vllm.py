"""What vLLM itself says of the engines of a config file: asked once, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path as FilePath

from cluster.checks.resolve_pools import TINY_MODEL
from cluster.config_finding import ConfigFinding, Unchecked, error
from runtime.config_problems import Path
from runtime.engine.allowed_vllm_flags import FIELD_OF_FLAG
from runtime.engine.engine_settings import EngineSettings
from runtime.engine.verify_vllm_settings import QUESTIONS, VERDICTS, Question
from runtime.engine.vllm_adapter.settings_verdict import SettingsVerdict

VERIFY_S_MAX = 120.0  # vLLM alone takes up to half a minute to import
COMMAND = (sys.executable, "-m", "runtime.engine.verify_vllm_settings")
WHAT = "the engines' flags"

Ask = Callable[[Sequence[Question], Mapping[str, str]], "list[SettingsVerdict] | str"]


@dataclass(frozen=True, slots=True)
class Engine:
    """``path`` is the place in the file of what has the ``engine``."""

    path: Path
    settings: EngineSettings
    on_cpu: bool
    configure: bool  # whether this is the machine that it shall run on


def engine_findings(
    engines: Sequence[Engine], environment: Mapping[str, str], ask: Ask
) -> tuple[list[ConfigFinding], list[Unchecked]]:
    """``environment`` is what the engines would be started with."""
    if not engines:
        return [], []
    with tempfile.TemporaryDirectory(prefix="baseload-check-") as folder:
        questions = [_question(each, FilePath(folder)) for each in engines]
        answer = ask(questions, environment)
    if isinstance(answer, str):
        return [], [Unchecked(WHAT, answer)]
    findings, unchecked = [], []
    for engine, verdict in zip(engines, answer, strict=True):
        if verdict.refused is not None:
            findings.append(_finding(engine, verdict))
        if verdict.unchecked is not None:
            what = f"vLLM's configuration of {engine.settings.model}"
            unchecked.append(Unchecked(what, verdict.unchecked))
    return findings, unchecked


def ask_vllm(
    questions: Sequence[Question], environment: Mapping[str, str]
) -> list[SettingsVerdict] | str:
    """The verdicts, or why there are none."""
    if find_spec("vllm") is None:
        return "vLLM is not installed here"
    process = subprocess.Popen(  # noqa: S603 -- our own module, no shell
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        told, log = process.communicate(QUESTIONS.dump_json(list(questions)), VERIFY_S_MAX)
        return VERDICTS.validate_json(told)
    except subprocess.TimeoutExpired:
        return f"vLLM did not answer within {VERIFY_S_MAX:.0f} s"
    except ValueError:
        last = log.decode(errors="replace").strip().rpartition("\n")[2]
        return f"vLLM could not be asked: {last[:300]}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _question(engine: Engine, folder: FilePath) -> Question:
    """The tiny model is made by a start; where it is not there yet, a check makes its own."""
    settings = engine.settings
    if settings.model == TINY_MODEL and not settings.checkpoint.exists():
        from models.tiny.checkpoint import ensure_tiny_moe  # numpy, and seldom needed

        settings = settings.model_copy(update={"checkpoint": ensure_tiny_moe(folder / TINY_MODEL)})
    return Question(settings=settings, on_cpu=engine.on_cpu, configure=engine.configure)


def _finding(engine: Engine, verdict: SettingsVerdict) -> ConfigFinding:
    assert verdict.refused is not None  # noqa: S101 -- asked only then
    wrong = verdict.refused.removesuffix(f"; {verdict.instead}")
    return error(_place(engine, verdict.flag), wrong, verdict.instead)


def _place(engine: Engine, flag: str | None) -> Path:
    """Where the flag that vLLM means stands in the file."""
    path = (*engine.path, "engine")
    if flag is None:
        return path
    for name in engine.settings.vllm_flags:
        if name.replace("_", "-").removeprefix("no-") == flag.replace("_", "-").removeprefix("no-"):
            return (*path, "vllm_flags", name)
    field = FIELD_OF_FLAG.get(flag, flag)
    return (*path, field) if field in EngineSettings.model_fields else path
