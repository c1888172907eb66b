"""Whether a pool's weights and one whole request fit its card, as far as arithmetic can tell."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.checks.checkpoint import own_shape
from cluster.checks.pools import ResolvedPool
from cluster.finding import Finding, error, warning
from models.shape import Shape
from models.sizing.kv_cache import KvDtype
from models.sizing.memory import MEMORY_UTILIZATION, UnknownMemory, fit, requests_held
from runtime.problems import given

# Weights or cache are then others than the shape says, or lie elsewhere.
UNCOUNTED_FLAGS = ("quantization", "cpu-offload-gb", "kv-cache-memory-bytes", "load-format")


def memory_findings(pool: ResolvedPool) -> Iterator[Finding]:
    """An error only where the weights of this very checkpoint are more than the card has."""
    flags = {name.replace("_", "-"): value for name, value in pool.settings.vllm_flags.items()}
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
            kv_dtype=_kv_dtype(flags.get("kv-cache-dtype")),
            batched_tokens_max=pool.settings.batched_tokens_max,
            running_max=pool.settings.running_max,
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


def _kv_dtype(flag: object) -> KvDtype | None:
    """None: the model's own."""
    if isinstance(flag, str) and flag.startswith("fp8"):
        return "fp8"
    return "bf16" if flag == "bfloat16" else None
