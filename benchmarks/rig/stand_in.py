"""The scripted provider of a stack under load, and the profile that knows its address."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.rig.child import Child
from benchmarks.rig.fair_share import raise_session
from benchmarks.rig.step_fit import Limits

TEMPLATE = Path(__file__).parent / "sim_vs_real.yaml"
READY_LINE = "ready on "
OFFER_ID = "stand-in/tiny-moe"
BLOCK_TOKENS = 128  # of vLLM's KV cache on a CPU


def limits() -> Limits:
    """Of one replica of the profile."""
    engine = yaml.safe_load(TEMPLATE.read_text())["applications"][0]["args"]["pools"][0]["engine"]
    return Limits(
        kv_tokens_max=engine["kv_blocks"] * BLOCK_TOKENS,
        running_max=engine["running_max"],
        batched_tokens_max=engine["batched_tokens_max"],
        context_tokens_max=engine["context_tokens_max"],
    )


@contextlib.contextmanager
def stand_in_profile(
    folder: Path, step_ms: float, *, kv_blocks: int | None = None
) -> Iterator[Path]:
    """The profile, while its provider runs: one token of each answer every ``step_ms``."""
    argv = [sys.executable, "-m", "benchmarks.rig.scripted_upstream", "--count-prompts"]
    with Child([*argv, "--step-ms", str(step_ms)], READY_LINE) as provider:
        raise_session(provider.pid)
        url = provider.wait_ready().removeprefix(READY_LINE)
        document = yaml.safe_load(TEMPLATE.read_text())
        app = document["applications"][0]
        app["deployments"][0]["user_config"]["providers"]["stand-in"]["base_url"] = url
        if kv_blocks is not None:
            app["args"]["pools"][0]["engine"]["kv_blocks"] = kv_blocks
        path = folder / "profile.yaml"
        path.write_text(yaml.safe_dump(document))
        yield path
