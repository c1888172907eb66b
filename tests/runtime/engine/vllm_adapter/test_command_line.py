"""The vLLM flags and the environment of an engine's settings, without starting one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.engine_settings import EngineSettings
from runtime.engine.vllm_adapter.command_line import command_line, set_environment

BACKEND = "dcp-comm-backend"


def _settings(**fields: Any) -> EngineSettings:
    return EngineSettings(model="m", checkpoint=Path("/w"), **fields)


def _flags(device: str = "cpu", **fields: Any) -> list[str]:
    return command_line(_settings(**fields), device)


def test_what_every_engine_is_told() -> None:
    flags = _flags(max_num_seqs=7, context_tokens_max=512, max_num_batched_tokens=64, kv_blocks=99)
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
    assert "--distributed-executor-backend=mp" in _flags("cpu", tensor_parallel=2)
    assert "--enforce-eager" not in _flags("cuda")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, {"executor": "uni"}),
        ({"tensor_parallel": 8}, {"executor": "mp", "tp": "8"}),
        ({"tensor_parallel": 2, "pipeline_parallel": 4}, {"executor": "mp", "tp": "2", "pp": "4"}),
        ({"data_parallel": 8}, {"executor": "mp", "dp": "8"}),
        (
            {"tensor_parallel": 8, "pipeline_parallel": 2},
            {"executor": "ray", "tp": "8", "pp": "2"},
        ),
        (
            {"tensor_parallel": 4, "data_parallel": 4},
            {"executor": "ray", "tp": "4", "dp": "4", "dp_backend": "ray", "dp_local": "2"},
        ),
        (
            {"tensor_parallel": 16, "data_parallel": 2},
            {"executor": "ray", "tp": "16", "dp": "2", "dp_backend": "ray", "dp_local": "1"},
        ),
        (
            {"tensor_parallel": 8, "context_parallel": 4},
            {"executor": "mp", "tp": "8", "dcp": "4", "dcp_backend": "ag_rs"},
        ),
        (
            {"data_parallel": 16, "data_parallel_local": 4},
            {"executor": "ray", "dp": "16", "dp_backend": "ray", "dp_local": "4"},
        ),
    ],
)
def test_how_the_workers_of_a_layout_run(fields: dict[str, Any], told: dict[str, str]) -> None:
    names = {
        "executor": "distributed-executor-backend",
        "tp": "tensor-parallel-size",
        "pp": "pipeline-parallel-size",
        "dp": "data-parallel-size",
        "dp_backend": "data-parallel-backend",
        "dp_local": "data-parallel-size-local",
        "dcp": "decode-context-parallel-size",
        "dcp_backend": "dcp-comm-backend",
    }
    flags = _flags("cuda", **fields)
    told = {"tp": "1", "pp": "1", "dp": "1", "dcp": "1"} | told
    for key, name in names.items():
        given = [flag.partition("=")[2] for flag in flags if flag.startswith(f"--{name}=")]
        assert given == ([told[key]] if key in told else []), name


def test_expert_parallel_is_a_flag_without_a_value() -> None:
    assert "--enable-expert-parallel" in _flags("cuda", tensor_parallel=8, expert_parallel=True)
    sliced = [flag for flag in _flags("cuda", tensor_parallel=8) if "expert" in flag]
    assert sliced == ["--no-enable-expert-parallel"]


def test_another_backend_of_a_split_context_may_be_chosen() -> None:
    flags = _flags("cuda", tensor_parallel=8, context_parallel=4, vllm_flags={BACKEND: "a2a"})
    assert [flag for flag in flags if BACKEND in flag] == [f"--{BACKEND}=a2a"]


def test_the_environment_of_a_cpu_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"VLLM_CPU_KVCACHE_SPACE": "3"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 7})
    set_environment(_settings(), "cpu")
    assert os.environ["VLLM_CPU_KVCACHE_SPACE"] == "3"
    assert os.environ["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    del os.environ["VLLM_CPU_OMP_THREADS_BIND"]
    set_environment(_settings(tensor_parallel=3), "cpu")
    assert os.environ["VLLM_CPU_OMP_THREADS_BIND"] == "4|7|4"
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"


def test_on_a_cpu_no_request_waits_for_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first with logprobs took 29 s, in which its engine answered nobody else."""
    monkeypatch.setattr(os, "environ", {})
    set_environment(_settings(), "cpu")
    assert os.environ["TORCHDYNAMO_DISABLE"] == "1"
    assert "--enforce-eager" in _flags("cpu")
    monkeypatch.setattr(os, "environ", {})
    set_environment(_settings(), "cuda")
    assert "TORCHDYNAMO_DISABLE" not in os.environ


def test_the_environment_of_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    set_environment(_settings(tensor_parallel=8), "cuda")
    assert os.environ["VLLM_CONFIGURE_LOGGING"] == "0"
    assert not any("CPU" in name or "RAY" in name for name in os.environ)
    set_environment(_settings(tensor_parallel=4, data_parallel=4), "cuda")
    assert os.environ["VLLM_RAY_DP_PACK_STRATEGY"] == "strict"
    set_environment(_settings(tensor_parallel=16, data_parallel=2), "cuda")
    assert os.environ["VLLM_RAY_DP_PACK_STRATEGY"] == "span"


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
