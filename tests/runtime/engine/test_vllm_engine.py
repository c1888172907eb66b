"""The vLLM flags of an engine's settings, without starting one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.settings import EngineSettings
from runtime.engine.vllm_engine import OWNED_FLAGS, REFUSED_FLAGS, command_line


def _flags(device: str = "cpu", **fields: Any) -> list[str]:
    return command_line(EngineSettings(model="m", checkpoint=Path("/w"), **fields), device)


def test_importing_the_file_does_not_import_vllm() -> None:
    code = "import runtime.engine.vllm_engine, sys; sys.exit('vllm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_every_engine_is_told() -> None:
    flags = _flags(running_max=7, context_tokens_max=512, batched_tokens_max=64, kv_blocks=99)
    assert {
        "--model=/w",
        "--served-model-name=m",
        "--max-num-seqs=7",
        "--max-model-len=512",
        "--max-num-batched-tokens=64",
        "--num-gpu-blocks-override=99",
        "--enable-prompt-tokens-details",
        "--generation-config=vllm",
    } <= set(flags)
    assert "--enable-auto-tool-choice" not in flags


def test_a_single_cpu_engine_has_no_worker_process() -> None:
    assert {"--enforce-eager", "--distributed-executor-backend=uni"} <= set(_flags("cpu"))
    assert not any("executor" in flag for flag in _flags("cpu", tensor_parallel=2))
    assert "--enforce-eager" not in _flags("cuda")


def test_parsers_of_the_catalogue() -> None:
    flags = _flags(tool_parser="hermes", reasoning_parser="qwen3")
    assert "--enable-auto-tool-choice" in flags
    assert "--tool-call-parser=hermes" in flags
    assert "--reasoning-parser=qwen3" in flags


def test_own_flags_are_added_and_win() -> None:
    given = {"seed": 7, "enable-prefix-caching": False, "enforce-eager": False, "dtype": "half"}
    flags = _flags(vllm_flags=given)
    assert {"--seed=7", "--no-enable-prefix-caching", "--dtype=half"} <= set(flags)
    assert "--no-enforce-eager" in flags
    assert "--enforce-eager" not in flags
    assert "--compilation-config.mode=0" in _flags(vllm_flags={"compilation-config.mode": 0})


def test_a_value_is_never_a_flag() -> None:
    assert "--trust-remote-code" not in _flags(vllm_flags={"seed": "--trust-remote-code"})


@pytest.mark.parametrize(
    "name",
    [
        *sorted(OWNED_FLAGS | REFUSED_FLAGS),
        "trust_remote_code",
        "trust-remote",
        "api_key",
        "--middleware",
        "no-such\n--middleware",
        "seed=1",
        "",
        "Config",
    ],
)
def test_flags_that_may_not_be_given(name: str) -> None:
    with pytest.raises(ValueError, match="vllm_flags may not hold"):
        _flags(vllm_flags={name: True})
