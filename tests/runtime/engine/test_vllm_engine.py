"""The vLLM flags of an engine's settings, without starting one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.engine.load_meter import LoadMeter
from runtime.engine.settings import EngineSettings
from runtime.engine.vllm_engine import (
    OWNED_FLAGS,
    REFUSED_FLAGS,
    command_line,
    longest_scheduled_s,
    note_step,
)


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


def _stats(computed: int, generated: int, *inference_s: float) -> Any:
    """vLLM's statistics of the outputs of one step."""
    return SimpleNamespace(
        prompt_token_stats=SimpleNamespace(computed=computed),
        num_generation_tokens=generated,
        num_preempted_reqs=0,
        finished_requests=[SimpleNamespace(inference_time=each) for each in inference_s],
    )


def test_pieces_of_a_prompt_count_in_the_steps_that_read_them() -> None:
    meter = LoadMeter()
    pieces = [(512, None), (512, None), (164, _stats(1_188, 1))]
    for tokens, stats in pieces:
        note_step(meter, SimpleNamespace(num_ctx_tokens=tokens), stats, lambda: 0.0)
    assert (meter.prompt_tokens, meter.output_tokens) == (1_188, 1)
    # Nobody knows when the first piece was begun: neither its time nor its tokens are counted.
    assert (meter.steps, meter.prefilled_tokens, meter.decoded_tokens) == (2, 676, 1)


def test_a_step_after_idleness_lasted_since_its_request_was_scheduled() -> None:
    meter = LoadMeter()
    details = SimpleNamespace(num_ctx_tokens=100)
    note_step(meter, details, _stats(100, 1), lambda: 0.25)
    assert (meter.busy_s, meter.steps) == (0.25, 1)
    meter.on_state(running=0, waiting=0, kv_usage=0.0, hit_tokens=0)
    note_step(meter, details, _stats(100, 1, 0.5), lambda: 0.0)  # it ended in its first step
    assert (meter.busy_s, meter.steps) == (0.75, 2)
    note_step(meter, details, _stats(100, 1), lambda: 99.0)  # not the first step
    assert meter.busy_s < 1


def test_without_the_details_of_a_step_the_end_of_a_prompt_counts_it() -> None:
    meter = LoadMeter()
    note_step(meter, None, _stats(70, 2), lambda: 0.1)
    assert (meter.prefilled_tokens, meter.decoded_tokens) == (70, 2)


def test_who_was_scheduled_first_says_how_long_the_engine_works() -> None:
    now = time.monotonic()
    times = (0.0, now - 2, now - 5)
    stats = [SimpleNamespace(scheduled_ts=each) for each in times]
    states = {str(n): SimpleNamespace(stats=each) for n, each in enumerate([None, *stats])}
    llm = SimpleNamespace(output_processor=SimpleNamespace(request_states=states))
    assert longest_scheduled_s(llm) == pytest.approx(5, abs=0.5)
    states.clear()
    assert longest_scheduled_s(llm) == longest_scheduled_s(None) == 0.0
