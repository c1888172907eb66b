"""Whether vLLM's attention on this machine can work with the KV block size that an engine is given.

vLLM itself looks at it only once the weights are loaded.
"""

from __future__ import annotations

from typing import Any

OUT = ("block-size", "leave it out, and vLLM chooses one")  # the flag, and what to do


def refusal(config: Any) -> str | None:
    """``config`` is vLLM's own; None: nothing is against its block size, or none was given."""
    from vllm.v1.worker.utils import select_common_block_size

    cache = config.cache_config
    if not cache.user_specified_block_size:
        return None
    try:
        backend = _backend(config)
    except Exception as error:  # noqa: BLE001 -- whatever keeps a backend from being chosen
        return str(error) if _is_to_blame(config) else None
    try:
        select_common_block_size(cache.block_size, [backend])
    except ValueError as error:
        return str(error)
    return None


def _backend(config: Any) -> Any:
    from vllm.config import set_current_vllm_config
    from vllm.v1.attention.selector import get_attn_backend

    model, cache = config.model_config, config.cache_config
    with set_current_vllm_config(config):
        return get_attn_backend(
            model.get_head_size(),
            model.dtype,
            cache.cache_dtype,
            use_mla=model.use_mla,
            use_sparse=hasattr(model.hf_text_config, "index_topk"),
        )


def _is_to_blame(config: Any) -> bool:
    """Whether a backend is found once the block size is left to vLLM."""
    cache = config.cache_config
    cache.user_specified_block_size = False
    try:
        _backend(config)
    except Exception:  # noqa: BLE001 -- then something else keeps it
        return False
    finally:
        cache.user_specified_block_size = True
    return True
