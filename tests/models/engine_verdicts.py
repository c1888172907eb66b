"""Runs vLLM's own checks on layouts and flags: questions as JSON on stdin, answers on stdout.

A program of its own, so that a test run imports the engine once and apart from the tests. Layers
are not built: the functions that refuse are called with what they read of their surroundings.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

NODE_CARDS = 8
REFUSED = (ValueError, AssertionError, NotImplementedError)


def main() -> None:
    questions = json.load(sys.stdin)
    answers = [ASKS[question["ask"]](question) for question in questions]
    sys.stdout.write(json.dumps(answers))


def verdict(check: Callable[[], object]) -> str | None:
    try:
        check()
    except REFUSED as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None


def parallel(asked: dict[str, Any]) -> Any:
    from vllm.config import ParallelConfig

    return ParallelConfig(
        tensor_parallel_size=asked["tp"],
        pipeline_parallel_size=asked["pp"],
        data_parallel_size=asked["dp"],
        decode_context_parallel_size=asked["dcp"],
        enable_expert_parallel=asked["ep"],
        distributed_executor_backend="mp",
        _data_parallel_master_port_list=[29_600] * 8,  # else five sockets per question
    )


def config(asked: dict[str, Any]) -> str | None:
    """The engine's configuration as a whole, and the KV cache of a window in it."""
    from vllm.config import ModelConfig

    model = SimpleNamespace(
        model_arch_config=SimpleNamespace(total_num_attention_heads=asked["heads"]),
        registry=SimpleNamespace(is_pp_supported_model=lambda *_: True),
        architectures=[],
        use_mla=asked["mla"],
        is_moe=asked["experts"] > 0,
        multimodal_config=None,
        get_total_num_kv_heads=lambda: asked["kv_heads"],
    )
    model._verify_with_expert_parallelism = lambda: ModelConfig._verify_with_expert_parallelism(
        model
    )

    def check() -> None:
        split = parallel(asked)
        ModelConfig.verify_with_parallel_config(model, split)
        if asked["window"]:
            _window_memory(split)

    return verdict(check)


def _window_memory(split: Any) -> None:
    import torch
    from vllm.v1.kv_cache_interface import SlidingWindowSpec

    spec = SlidingWindowSpec(
        block_size=16, num_kv_heads=1, head_size=64, dtype=torch.bfloat16, sliding_window=128
    )
    spec.max_memory_usage_bytes(
        SimpleNamespace(
            parallel_config=split,
            max_in_flight_tokens=256,
            model_config=SimpleNamespace(max_model_len=4096),
        )
    )


def experts(asked: dict[str, Any]) -> str | None:
    """Slices of experts, and FP8 blocks in them."""
    from vllm.model_executor.layers.fused_moe.oracle.fp8 import refine_fp8_moe_block_shape
    from vllm.model_executor.layers.quantization.utils import fp8_utils

    def check() -> None:
        slices = _moe_parallel(asked).tp_size
        assert asked["inter"] % slices == 0, "FusedMoEConfig.__post_init__"
        moe = SimpleNamespace(
            intermediate_size_per_partition=asked["inter"] // slices,
            hidden_dim=asked["hidden"],
            tp_size=slices,
        )
        block = asked["block"]
        if block and refine_fp8_moe_block_shape(moe, [block, block]) is None:
            with _world_size(asked["tp"]):
                fp8_utils.validate_fp8_block_shape_moe(
                    moe.intermediate_size_per_partition, [block, block]
                )

    return verdict(check)


def _moe_parallel(asked: dict[str, Any]) -> Any:
    from vllm.model_executor.layers.fused_moe import config as moe_config

    dp_group = SimpleNamespace(rank_in_group=0)

    with (
        mock.patch.object(moe_config, "get_tensor_model_parallel_rank", return_value=0),
        mock.patch.object(moe_config, "get_dp_group", return_value=dp_group),
    ):
        return moe_config.FusedMoEParallelConfig.make(
            tp_size_=asked["tp"],
            pcp_size_=1,
            dp_size_=asked["dp"],
            sp_size_=1,
            vllm_parallel_config=parallel(asked | {"dcp": 1}),
        )


@contextlib.contextmanager
def _world_size(tp: int) -> Iterator[None]:
    name = "vllm.distributed.get_tensor_model_parallel_world_size"
    with mock.patch(name, return_value=tp):
        yield


def linears(asked: dict[str, Any]) -> str | None:
    """FP8 blocks in projections that are split by their input (rows) or output (columns)."""
    from vllm.model_executor.layers.quantization.utils.fp8_utils import validate_fp8_block_shape

    tp = asked["tp"]

    def check() -> None:
        with _world_size(tp):
            for width in asked["rows"]:
                validate_fp8_block_shape(
                    SimpleNamespace(tp_size=tp), width, 4096, width // tp, [4096], [128, 128]
                )
            for width in asked["columns"]:
                validate_fp8_block_shape(
                    SimpleNamespace(tp_size=tp), 4096, width, 4096, [width // tp], [128, 128]
                )

    return verdict(check)


def vocabulary(asked: dict[str, Any]) -> str | None:
    from vllm.distributed import divide
    from vllm.model_executor.layers.vocab_parallel_embedding import pad_vocab_size

    return verdict(lambda: divide(pad_vocab_size(asked["vocab"]), asked["tp"]))


def sparse_heads(asked: dict[str, Any]) -> str | None:
    """The head counts that decode context parallel may have with sparse attention."""
    from vllm.v1.attention.backends.mla import flashmla_sparse as sparse

    local = asked["heads"] // asked["tp"]
    pad = sparse.FlashMLASparseImpl._compute_fp8_decode_padded_heads

    def check() -> None:
        assert local < sparse.MIN_HEADS_FOR_BF16_PREFILL, "mixed batch"
        assert pad(local) == pad(local * asked["dcp"]), "padding"

    return verdict(check)


def ranks(asked: dict[str, Any]) -> str | None:
    """Where data-parallel ranks go on nodes of eight cards."""
    import ray
    import ray._private.state
    from vllm.v1.engine.utils import CoreEngineActorManager

    nodes = {
        str(number): {f"node:10.0.0.{number}": 1.0, "GPU": float(NODE_CARDS), "CPU": 64.0}
        for number in range(asked["nodes"])
    }
    split = SimpleNamespace(
        data_parallel_master_ip="10.0.0.0",
        data_parallel_size=asked["dp"],
        data_parallel_size_local=asked["dp_local"],
        world_size=asked["tp"] * asked["pp"],
        all2all_backend="allgather_reducescatter",
    )
    platform = SimpleNamespace(ray_device_key="GPU")
    strategy = "span" if asked["span"] else "strict"
    with (
        mock.patch.object(ray._private.state, "available_resources_per_node", return_value=nodes),
        mock.patch.object(ray.util, "placement_group"),
        mock.patch("vllm.v1.engine.utils.current_platform", platform),
        mock.patch.dict(os.environ, {"VLLM_RAY_DP_PACK_STRATEGY": strategy}),
    ):
        return verdict(
            lambda: CoreEngineActorManager.create_dp_placement_groups(
                SimpleNamespace(parallel_config=split)
            )
        )


@functools.cache
def flag_parser() -> Any:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    return make_arg_parser(FlexibleArgumentParser())


def flags(asked: dict[str, Any]) -> str | None:
    """Whether the engine's parser knows every flag, and takes its value."""

    def check() -> None:
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                flag_parser().parse_args(asked["words"])
        except SystemExit as error:
            raise ValueError(f"the parser refused {asked['words']}") from error

    return verdict(check)


def environment(asked: dict[str, Any]) -> str | None:
    from vllm import envs

    unknown = [name for name in asked["names"] if name not in envs.environment_variables]
    return f"unknown: {unknown}" if unknown else None


ASKS: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "config": config,
    "experts": experts,
    "linears": linears,
    "vocabulary": vocabulary,
    "sparse_heads": sparse_heads,
    "ranks": ranks,
    "flags": flags,
    "environment": environment,
}

if __name__ == "__main__":
    main()
