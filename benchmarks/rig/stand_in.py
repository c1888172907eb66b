"""The scripted provider of a stack under load, and the profile that knows its address."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from benchmarks.rig.child import Child
from benchmarks.rig.common import Target
from benchmarks.rig.fair_share import raise_session
from benchmarks.rig.scripted_upstream import READY_LINE
from scheduler.replica import EngineLimits

TEMPLATE = Path(__file__).parent / "sim_vs_real.yaml"
OFFER_ID = "stand-in/tiny-moe"
STEP_MS = 20.0
BLOCK_TOKENS = 128  # of vLLM's KV cache on a CPU


def limits() -> EngineLimits:
    """The limits of one replica of the profile."""
    engine = yaml.safe_load(TEMPLATE.read_text())["applications"][0]["args"]["pools"][0]["engine"]
    return EngineLimits(
        kv_tokens_max=engine["kv_blocks"] * BLOCK_TOKENS,
        max_num_seqs=engine["max_num_seqs"],
        max_num_batched_tokens=engine["max_num_batched_tokens"],
        context_tokens_max=engine["context_tokens_max"],
    )


@contextlib.contextmanager
def provider(step_ms: float = STEP_MS) -> Iterator[Target]:
    """One token of each answer every ``step_ms``; it is not to wait behind the engines."""
    argv = [sys.executable, "-m", "benchmarks.rig.scripted_upstream", "--count-prompts"]
    with Child([*argv, "--step-ms", str(step_ms)], READY_LINE) as child:
        raise_session(child.pid)
        yield Target(child.wait_ready().removeprefix(READY_LINE), "unused")


@contextlib.contextmanager
def stand_in_profile(
    folder: Path, step_ms: float = STEP_MS, engine: Mapping[str, int] = {}, **routing: object
) -> Iterator[Path]:
    """The profile, while its provider runs; the rest as for ``write_profile``."""
    with provider(step_ms) as offering:
        yield write_profile(folder, offering, engine, **routing)


def write_profile(
    folder: Path, offering: Target, engine: Mapping[str, int], **routing: object
) -> Path:
    """The profile with that provider; ``engine`` and ``routing`` say what is not as usual in it."""
    document = yaml.safe_load(TEMPLATE.read_text())
    app = document["applications"][0]
    user_config = app["deployments"][0]["user_config"]
    user_config |= routing
    user_config["providers"]["stand-in"]["base_url"] = offering.base_url
    app["args"]["pools"][0]["engine"] |= engine
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
