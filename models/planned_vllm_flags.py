"""The engine's command-line flags for a model in a layout, without the dashes.

Everything that a plan decides is spelt out: the engine's own defaults for lengths and batches
depend on where its configuration is built, and would quietly undo the plan.
"""

from __future__ import annotations

from models.cards import Card
from models.catalogue import Model
from models.layout import Layout
from models.recipes import recipe_flags
from models.sizing.kv_cache import KvDtype
from models.vllm_flags import Flags, layout_flags, parser_flags

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
        **layout_flags(layout),
    }


def _of_model(model: Model | None, card: Card) -> Flags:
    if model is None:
        return {}
    flags = recipe_flags(model.model_id, card.card_id)
    return flags | parser_flags(model.tool_parser, model.reasoning_parser)
