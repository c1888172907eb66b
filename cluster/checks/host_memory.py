"""Whether this machine has the memory and the cores for the engines that run on its CPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cluster.checks.checkpoint import own_shape
from cluster.checks.gpu_memory import UNCOUNTED_FLAGS, flags_of, kv_bytes, kv_dtype
from cluster.checks.resolve_pools import CPU_BLOCK_TOKENS, ResolvedPool
from cluster.config_finding import ConfigFinding, error, warning
from cluster.machine.host import Host
from cluster.placement_group import CPU_CARD
from models.sizing.weights import weights_per_card
from runtime.config_problems import given

GIB = 1 << 30
ENGINE_BYTES_MIN = 400 << 20  # Python, torch and vLLM alone, in each engine's own memory
ENGINES_PER_CORE_MAX = 16  # at some 20 s of a core for each to load, within the time of a start
FEWER = "fewer replicas, or check it with --elsewhere"


def host_findings(
    pools: Sequence[ResolvedPool], host: Host, tell: Callable[..., ConfigFinding] = error
) -> Iterator[ConfigFinding]:
    """``tell`` says how sure it is that no other machine joins."""
    on_cpu = [pool for pool in pools if pool.card.card_id == CPU_CARD]
    for pool in on_cpu:
        yield from _kv_blocks(pool, host)
    yield from _together(on_cpu, host, tell)
    engines = sum(_engines(pool) for pool in on_cpu)
    if on_cpu and engines > ENGINES_PER_CORE_MAX * host.cores:
        pool = max(on_cpu, key=_engines)
        wrong = f"{engines} engines load on {host.cores} cores: a start gives up before they have"
        yield warning((*pool.path, "replicas"), wrong, FEWER, given(pool.args.replicas))


def _kv_blocks(pool: ResolvedPool, host: Host) -> Iterator[ConfigFinding]:
    """vLLM takes the cache of an engine as one piece as it starts."""
    cache, blocks = _cache_bytes(pool), pool.settings.kv_blocks
    if cache <= host.memory_bytes:
        return
    wrong = f"take {_gib(cache)} GiB of each engine, and this machine has {_gib(host.memory_bytes)}"
    most = int(blocks * host.memory_bytes / cache) if blocks is not None else 0
    yield error((*pool.path, "engine", "kv_blocks"), wrong, f"less than {most}", given(blocks))


def _together(
    pools: Sequence[ResolvedPool], host: Host, tell: Callable[..., ConfigFinding]
) -> Iterator[ConfigFinding]:
    """What is taken at once is sure; a cache is filled only as requests come."""
    sure = sum(_engines(pool) * ENGINE_BYTES_MIN + _weights(pool) for pool in pools)
    caches = sum(_engines(pool) * _cache_bytes(pool) for pool in pools)
    if sure + caches <= host.memory_bytes or any(
        _cache_bytes(pool) > host.memory_bytes for pool in pools
    ):
        return
    pool = max(pools, key=lambda pool: _engines(pool) * (ENGINE_BYTES_MIN + _cache_bytes(pool)))
    has = f"and this machine has {_gib(host.memory_bytes)}"
    path, shown = (*pool.path, "replicas"), given(pool.args.replicas)
    if sure > host.memory_bytes:
        wrong = f"engines on CPUs take {_gib(sure)} GiB of memory or more, {has}"
        yield tell(path, wrong, FEWER, shown)
        return
    wrong = f"engines on CPUs take {_gib(sure + caches)} GiB once their caches are full, {has}"
    yield warning(path, wrong, "fewer replicas or kv_blocks", shown)


def _engines(pool: ResolvedPool) -> int:
    return pool.args.replicas * pool.settings.layout.cards


def _weights(pool: ResolvedPool) -> int:
    """Of all replicas; 0 where only vLLM can tell."""
    shape = pool.model.shape() if pool.is_tiny else own_shape(pool.settings.checkpoint)
    if shape is None or not flags_of(pool.settings).keys().isdisjoint(UNCOUNTED_FLAGS):
        return 0
    return _engines(pool) * weights_per_card(shape, pool.settings.layout)


def _cache_bytes(pool: ResolvedPool) -> int:
    """Of one process of an engine; 0 where the file does not say it."""
    size = flags_of(pool.settings).get("block-size", CPU_BLOCK_TOKENS)
    if pool.settings.kv_blocks is None or not isinstance(size, int):
        return 0
    dtype = kv_dtype(flags_of(pool.settings).get("kv-cache-dtype"))
    return kv_bytes(pool, pool.settings.kv_blocks * size, dtype)


def _gib(size: int) -> str:
    return f"{size / GIB:,.1f}"
