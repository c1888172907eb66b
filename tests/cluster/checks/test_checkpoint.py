"""A checkpoint folder: whether it is whole, what it is, and whether it fits its cards."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cluster.application_args import PoolArgs
from cluster.checks.checkpoint import checkpoint_findings, context_of, read_config
from cluster.checks.gpu_memory import memory_findings
from cluster.checks.resolve_pools import Known, ResolvedPool, resolve_parts
from cluster.config_finding import Severity

KNOWN = Known.load()
QWEN = KNOWN.models.get("qwen3-32b")
CONFIG = dict(QWEN.config)


def pool(folder: Path, card: str = "h20", **engine: Any) -> ResolvedPool:
    args = PoolArgs.model_validate(
        {"model": QWEN.model_id, "card": card, "checkpoint": folder, "engine": engine}
    )
    found = resolve_parts({0: args}, None, KNOWN, folder, ())
    assert not any(each.is_error for each in found.findings), found.findings
    return found.pools[0]


def told(folder: Path, **engine: Any) -> list[str]:
    resolved = pool(folder, **engine)
    return [str(each) for each in checkpoint_findings(QWEN, resolved.settings, resolved.path)]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    folder = tmp_path / "whole"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for name in ("model-1.safetensors", "model-2.safetensors", "tokenizer.json"):
        (folder / name).write_bytes(b"")
    weights = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(weights))
    return folder


def test_a_whole_folder_has_nothing_wrong(whole: Path) -> None:
    assert told(whole) == []


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("config.json", "has no config.json that can be read"),
        ("tokenizer.json", "has no tokenizer"),
        ("model-2.safetensors", "lacks 1 files of weights: model-2.safetensors"),
    ],
)
def test_a_file_that_is_missing(whole: Path, missing: str, says: str) -> None:
    (whole / missing).unlink()
    (found,) = told(whole)
    assert says in found


def test_flags_that_bring_weights_and_tokenizer_from_elsewhere(whole: Path) -> None:
    for name in os.listdir(whole):
        if name != "config.json":
            (whole / name).unlink()
    assert len(told(whole)) == 2
    assert told(whole, vllm_flags={"load-format": "dummy", "tokenizer": "/t"}) == []


def test_no_folder(tmp_path: Path) -> None:
    assert "does not exist here" in told(tmp_path / "none")[0]
    (tmp_path / "file").write_text("")
    assert "is no folder" in told(tmp_path / "file")[0]


def test_another_models_checkpoint_is_told(whole: Path) -> None:
    other = dict(KNOWN.models.get("qwen3-30b-a3b").config)
    (whole / "config.json").write_text(json.dumps(other))
    assert "holds a Qwen3MoeForCausalLM, and qwen3-32b is a Qwen3ForCausalLM" in told(whole)[0]


def test_the_layout_must_suit_what_the_folder_holds(whole: Path) -> None:
    config = CONFIG | {"num_attention_heads": 60, "num_key_value_heads": 4}
    (whole / "config.json").write_text(json.dumps(config))
    found = told(whole, tensor_parallel=8)
    assert "the checkpoint cannot run as TP8: 60 heads do not divide by TP 8" in found[0]


def test_a_longer_context_that_the_folder_says_itself(whole: Path) -> None:
    longer = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768}
    (whole / "config.json").write_text(json.dumps(CONFIG | {"rope_scaling": longer}))
    assert pool(whole, context_tokens_max=131_072).settings.context_tokens_max == 131_072
    flags = {"hf-overrides": json.dumps({"rope_scaling": longer})}
    assert pool(whole / "none", context_tokens_max=400_000, vllm_flags=flags)


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({}, None),
        ({"max_position_embeddings": 4_096}, 4_096),
        ({"max_position_embeddings": 4_096, "rope_scaling": {"factor": 2.0}}, 8_192),
        ({"max_position_embeddings": 4_096, "rope_scaling": {"factor": "x"}}, 4_096),
        ({"text_config": {"max_position_embeddings": 16}}, 16),
        (
            {
                "max_position_embeddings": 163_840,
                "rope_scaling": {"factor": 40, "original_max_position_embeddings": 4_096},
            },
            163_840,
        ),
    ],
)
def test_the_longest_context_that_a_config_says(config: Any, context: int | None) -> None:
    assert context_of(config) == context


def test_a_config_that_is_none_is_none(tmp_path: Path) -> None:
    for text in ("[1]", "{", "[" * 100_000):
        (tmp_path / "config.json").write_text(text)
        assert read_config(tmp_path) is None


def test_weights_that_no_card_holds(whole: Path, tmp_path: Path) -> None:
    big = CONFIG | {"num_hidden_layers": 200}
    (whole / "config.json").write_text(json.dumps(big))
    (found,) = memory_findings(pool(whole))
    assert found.severity is Severity.ERROR
    assert "does not fit: weights take" in str(found)
    (found,) = memory_findings(pool(whole, vllm_flags={"gpu-memory-utilization": 0.95}))
    assert found.is_error
    assert [*memory_findings(pool(whole, vllm_flags={"quantization": "fp8"}))] == []
    assert [*memory_findings(pool(whole, card="cpu"))] == []


def test_memory_that_is_only_worked_out_is_a_warning(tmp_path: Path) -> None:
    assert [*memory_findings(pool(tmp_path / "none"))] == []
    (found,) = memory_findings(pool(tmp_path / "none", vllm_flags={"gpu-memory-utilization": 0.5}))
    assert found.severity is Severity.WARNING
    assert "does not fit" in str(found)
    (found,) = memory_findings(
        pool(
            tmp_path / "none",
            context_tokens_max=40_960,
            vllm_flags={"gpu-memory-utilization": 0.77},
        )
    )
    assert "no room for one request of that length" in str(found)
