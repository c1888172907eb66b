"""Whether weights, one whole request and the KV blocks fit a card, as far as arithmetic tells."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.checks.checkpoint import own_shape
from cluster.checks.resolve_pools import ResolvedPool
from cluster.config_finding import ConfigFinding, error, warning
from models.shape import Shape
from models.sizing.kv_cache import KvDtype, default_kv_dtype, kv_bytes_per_token_per_card
from models.sizing.memory import GIB, MEMORY_UTILIZATION, Fit, UnknownMemory, fit, requests_held
from runtime.config_problems import given
from runtime.engine.engine_settings import EngineSettings

# Weights or cache are then others than the shape says, or lie elsewhere.
UNCOUNTED_FLAGS = ("quantization", "cpu-offload-gb", "kv-cache-memory-bytes", "load-format")
CARD_BLOCK_TOKENS = 16  # of most of vLLM's attention on cards; none of them has less


def memory_findings(pool: ResolvedPool) -> Iterator[ConfigFinding]:
    """An error only where weights of this very checkpoint, or the cache, are more than the card."""
    flags = flags_of(pool.settings)
    utilization = flags.get("gpu-memory-utilization", MEMORY_UTILIZATION)
    if not flags.keys().isdisjoint(UNCOUNTED_FLAGS) or not isinstance(utilization, int | float):
        return
    own: Shape | None = own_shape(pool.settings.checkpoint)
    shape, layout = own or pool.model.shape(), pool.settings.layout
    try:
        memory = fit(
            shape,
            layout,
            pool.card,
            memory_utilization=utilization,
            kv_dtype=kv_dtype(flags.get("kv-cache-dtype")),
            batched_tokens_max=pool.settings.max_num_batched_tokens,
            running_max=pool.settings.max_num_seqs,
        )
    except UnknownMemory:
        return
    path, context = (*pool.path, "engine"), pool.settings.context_tokens_max
    what = f"{pool.model.model_id} as {layout} on {pool.card.card_id}"
    if memory.why_not is not None:
        is_sure = own is not None and memory.weights_bytes > memory.usable_bytes
        tell = error if is_sure else warning
        yield tell(path, f"{what} does not fit: {memory.why_not}", "more cards per replica")
    elif requests_held(shape, layout, memory, context) == 0:
        wrong = f"{what} has no room for one request of that length, as far as is known"
        yield warning((*path, "context_tokens_max"), wrong, "less, or more cards", given(context))
    else:
        yield from _kv_blocks(pool, memory, flags.get("block-size", CARD_BLOCK_TOKENS))


def _kv_blocks(pool: ResolvedPool, memory: Fit, block_tokens: object) -> Iterator[ConfigFinding]:
    """vLLM takes what it is told to, and ends when the card has no more."""
    blocks = pool.settings.kv_blocks
    if blocks is None or not isinstance(block_tokens, int):
        return
    cache = kv_bytes(pool, blocks * block_tokens, memory.kv_dtype)
    if cache <= memory.kv_bytes:
        return
    wrong = (
        f"take {cache / GIB:,.1f} GiB of each card, and {memory.kv_bytes / GIB:,.1f} are left "
        "beside weights and the engine itself, as far as is known"
    )
    tell = error if cache > memory.usable_bytes else warning
    path = (*pool.path, "engine", "kv_blocks")
    yield tell(path, wrong, "leave it out: vLLM takes what is there", given(blocks))


def kv_bytes(pool: ResolvedPool, tokens: int, dtype: KvDtype | None) -> int:
    """What so many tokens take in the cache of one card; 0 where they are not all kept."""
    shape = own_shape(pool.settings.checkpoint) or pool.model.shape()
    dtype = default_kv_dtype(shape) if dtype is None else dtype
    return tokens * kv_bytes_per_token_per_card(shape, pool.settings.layout, dtype)


def flags_of(settings: EngineSettings) -> dict[str, object]:
    """Its vLLM flags, spelt as vLLM's own documents do."""
    return {name.replace("_", "-"): value for name, value in settings.vllm_flags.items()}


def kv_dtype(flag: object) -> KvDtype | None:
    """The data type of the KV cache; None is the model's own."""
    if isinstance(flag, str) and flag.startswith("fp8"):
        return "fp8"
    return "bf16" if flag == "bfloat16" else None
