"""The engine's command-line flags for a model in a layout, without the dashes.

Everything that a plan decides is spelt out: the engine's own defaults for lengths and batches
depend on where its configuration is built, and would quietly undo the plan.
"""

from __future__ import annotations

from models.cards import Card
from models.catalogue import Model
from models.layout import Layout
from models.recipes import Flags, recipe_flags
from models.sizing.kv_cache import KvDtype

_KV_CACHE_DTYPE = {"bf16": "bfloat16", "fp8": "fp8"}


def engine_args(
    model: Model | None,
    layout: Layout,
    card: Card,
    *,
    context_tokens_max: int,
    running_max: int,
    batched_tokens_max: int,
    kv_dtype: KvDtype,
    memory_utilization: float,
) -> Flags:
    """``model`` is None for one that is not in the catalogue: nothing is known of its parsers.

    ``running_max`` and ``batched_tokens_max`` are of one data-parallel rank.
    """
    return {
        **_of_model(model, card),
        "max-model-len": context_tokens_max,
        "max-num-seqs": running_max,
        "max-num-batched-tokens": batched_tokens_max,
        "gpu-memory-utilization": memory_utilization,
        "kv-cache-dtype": _KV_CACHE_DTYPE[kv_dtype],
        **_of_layout(layout),
    }


def ranks_per_node(layout: Layout) -> int:
    """Data-parallel ranks of one node; 1 also where a rank takes several nodes."""
    return min(layout.dp, max(1, layout.cards_per_node // (layout.tp * layout.pp)))


def _of_model(model: Model | None, card: Card) -> Flags:
    if model is None:
        return {}
    flags = recipe_flags(model.model_id, card.card_id)
    if model.tool_parser is not None:
        flags |= {"enable-auto-tool-choice": True, "tool-call-parser": model.tool_parser}
    if model.reasoning_parser is not None:
        flags["reasoning-parser"] = model.reasoning_parser
    return flags


def _of_layout(layout: Layout) -> Flags:
    flags: Flags = {
        "tensor-parallel-size": layout.tp,
        "pipeline-parallel-size": layout.pp,
        "data-parallel-size": layout.dp,
        "decode-context-parallel-size": layout.dcp,
        "enable-expert-parallel": layout.expert_parallel,
    }
    if layout.dcp > 1:
        # Sparse attention splits a context with this backend only, whatever a model prefers.
        flags["dcp-comm-backend"] = "ag_rs"
    if layout.nodes == 1:
        flags["distributed-executor-backend"] = "mp" if layout.cards > 1 else "uni"
        return flags
    flags["distributed-executor-backend"] = "ray"
    if layout.dp > 1:
        flags["data-parallel-backend"] = "ray"
        # Left out, it would be all ranks, on one node.
        flags["data-parallel-size-local"] = ranks_per_node(layout)
    return flags
