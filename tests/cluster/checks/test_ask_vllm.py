"""What vLLM is asked about engines, and what becomes of an answer that is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster.checks import ask_vllm as asking
from cluster.checks.ask_vllm import Engine, ask_vllm, engine_findings
from runtime.config_problems import where
from runtime.engine.engine_settings import EngineSettings
from runtime.engine.verify_vllm_settings import Question
from runtime.engine.vllm_adapter.settings_verdict import SettingsVerdict


def engine(**fields: Any) -> Engine:
    settings = EngineSettings.model_validate({"model": "m", "checkpoint": "/w", **fields})
    return Engine(("pools", 0), settings, True, True)


def found(verdict: SettingsVerdict, asked: Engine) -> tuple[list[str], list[str]]:
    findings, unchecked = engine_findings([asked], {}, lambda questions, _: [verdict])
    return (
        [f"{where(each.problem.path)}: {each.problem.wrong}" for each in findings],
        [f"{each.what}: {each.why}" for each in unchecked],
    )


@pytest.mark.parametrize(
    ("flag", "at"),
    [
        (None, "pools[0].engine"),
        ("kv-cache-dtype", "pools[0].engine.vllm_flags.kv_cache_dtype"),
        ("enable-prefix-caching", "pools[0].engine.vllm_flags.no-enable-prefix-caching"),
        ("max-model-len", "pools[0].engine.context_tokens_max"),
        ("tool_parser", "pools[0].engine.tool_parser"),
        ("something-else", "pools[0].engine"),
    ],
)
def test_a_refusal_is_told_where_the_flag_stands(flag: str | None, at: str) -> None:
    flags = {"kv_cache_dtype": "fp8", "no-enable-prefix-caching": True}
    told, _ = found(SettingsVerdict("no; why not", flag, "why not"), engine(vllm_flags=flags))
    assert told == [f"{at}: no"]


def test_what_vllm_could_not_be_asked_is_told_and_is_no_error() -> None:
    told, unchecked = found(SettingsVerdict(unchecked="for cuda"), engine())
    assert (told, unchecked) == ([], ["vLLM's configuration of m: for cuda"])
    assert found(SettingsVerdict(), engine()) == ([], [])
    _, missing = engine_findings([engine()], {}, lambda *_: "vLLM is not installed here")
    assert [each.why for each in missing] == ["vLLM is not installed here"]


def test_without_engines_nothing_is_asked() -> None:
    assert engine_findings([], {}, lambda *_: pytest.fail("asked")) == ([], [])


def test_a_tiny_model_that_is_not_made_yet_is_made_for_the_question(tmp_path: Path) -> None:
    def ask(questions: Sequence[Question], _: Mapping[str, str]) -> list[SettingsVerdict]:
        assert (questions[0].settings.checkpoint / "config.json").is_file()
        return [SettingsVerdict()]

    engine_findings([engine(model="tiny-moe", checkpoint=tmp_path / "none")], {}, ask)
    assert not (tmp_path / "none").exists()


def question() -> list[Question]:
    return [Question(settings=engine().settings, on_cpu=True, configure=False)]


def test_an_answer_that_does_not_come_or_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "raise SystemExit('libcuda is missing')"
    monkeypatch.setattr(asking, "COMMAND", (sys.executable, "-c", code))
    assert ask_vllm(question(), {}) == "vLLM could not be asked: libcuda is missing"
    monkeypatch.setattr(asking, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(asking, "VERIFY_S_MAX", 0.2)
    assert ask_vllm(question(), {}) == "vLLM did not answer within 0 s"


def test_vllm_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "find_spec", lambda name: None)
    assert ask_vllm(question(), {}) == "vLLM is not installed here"
