"""Engines started one after another, in a process of their own: what each says of itself.

python -m tests.stack.started FOLDER TENSOR_PARALLEL
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from models.tiny.checkpoint import ensure_tiny_moe
from models.tiny.weights import TinyShape
from runtime.engine.engine_settings import EngineFacts, EngineSettings
from runtime.engine.vllm_adapter.engine import VllmEngine

KV_SPACE_GIB = 1
SHAPES = {
    "small": TinyShape(),
    "wide": TinyShape(layers=4, heads=8, kv_heads=4, experts=16),
    # One KV head: two cards hold a copy each.
    "copied": TinyShape(layers=3, hidden=192, heads=6, kv_heads=1, head_dim=64, experts=12),
}
MARK = "facts "


def checkpoint(folder: Path, name: str) -> Path:
    return ensure_tiny_moe(folder / name, shape=SHAPES[name])


def started(folder: Path, tensor_parallel: int) -> dict[str, EngineFacts]:
    """By the names of ``SHAPES``."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.stack.started", folder, str(tensor_parallel)],
        env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": str(KV_SPACE_GIB)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=280,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    facts = [EngineFacts.model_validate_json(line.removeprefix(MARK)) for line in lines]
    return {each.model: each for each in facts}


async def main() -> None:
    folder, tensor_parallel = Path(sys.argv[1]), int(sys.argv[2])
    for name in SHAPES:
        settings = EngineSettings(
            model=name,
            checkpoint=checkpoint(folder, name),
            tensor_parallel=tensor_parallel,
            device="cpu",
        )
        engine = await VllmEngine.start(settings, token="unused")
        print(MARK + engine.facts.model_dump_json(), flush=True)
        engine.close()


if __name__ == "__main__":
    asyncio.run(main())
