"""vLLM's own server with the tiny model, twice: what stands behind the gateways that bring none.

Baseload's engines answer to nobody but Baseload, so these are others, of the same version and
with the same flags. A ratio is always to the engines that the gateway in question stands before.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.gateway import Gateway
from benchmarks.peers.gateway_setting import Command
from benchmarks.rig.common import MODEL, ROOT, Target
from benchmarks.rig.stack import free_port
from models.tiny.checkpoint import ensure_tiny_moe

ENGINES = 2
CONTEXT_TOKENS_MAX = 4096
BATCHED_TOKENS_MAX = 2048


@dataclass(frozen=True, slots=True)
class Size:
    """The size of one engine."""

    running_max: int
    kv_blocks: int


WIDE = Size(running_max=64, kv_blocks=1024)  # at the highest concurrency measured, nobody waits
# The KV cache is what runs out first, and before the cores that all share here.
NARROW = Size(running_max=16, kv_blocks=40)

# As a replica of Baseload sets them on a CPU.
ENV = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def checkpoint() -> Path:
    return ensure_tiny_moe(ROOT / ".baseload" / "peers" / MODEL)


def engine_flags(size: Size) -> dict[str, str | int | bool]:
    return {
        "max-model-len": CONTEXT_TOKENS_MAX,
        "max-num-seqs": size.running_max,
        "max-num-batched-tokens": BATCHED_TOKENS_MAX,
        "num-gpu-blocks-override": size.kv_blocks,
        "generation-config": "vllm",
        "distributed-executor-backend": "uni",
        "enforce-eager": True,
    }


def command(port: int, size: Size, model: Path | None = None) -> Command:
    """``model`` is a checkpoint; None is the usual one."""
    argv = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--model", str(model or checkpoint())]
    argv += ["--served-model-name", MODEL]
    for name, value in engine_flags(size).items():
        argv += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    argv += ["--disable-log-stats", "--disable-uvicorn-access-log"]
    return Command(tuple(argv), env=ENV, ready_path="/health")


@contextlib.contextmanager
def plain_engines(folder: Path, size: Size) -> Iterator[tuple[Target, ...]]:
    """Raises BenchmarkError if one does not start."""
    started: list[Gateway] = []
    try:
        for number in range(ENGINES):
            place = folder / f"engine-{number}"
            place.mkdir(parents=True)
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            started.append(Gateway(f"engine {number}", command(port, size), url, place))
        for engine in started:
            engine.wait_ready()
        yield tuple(engine.target for engine in started)
    finally:
        for engine in started:
            engine.stop()
