"""Baseload's stack for this comparison, and the provider that it, and who else can, buys from."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.peers.plain_engines import (
    BATCHED_TOKENS_MAX,
    CONTEXT_TOKENS_MAX,
    ENGINES,
    Size,
)
from benchmarks.rig.child import Child
from benchmarks.rig.common import Target
from benchmarks.rig.fair_share import raise_session
from benchmarks.rig.gateway_alone import READY_LINE
from benchmarks.rig.stand_in import TEMPLATE

PROVIDER_STEP_MS = 20.0
PATIENT_MS = 60_000  # the budget of who names none: nothing is bought for them


@contextlib.contextmanager
def provider(step_ms: float = PROVIDER_STEP_MS) -> Iterator[Target]:
    argv = [sys.executable, "-m", "benchmarks.rig.scripted_upstream", "--count-prompts"]
    with Child([*argv, "--step-ms", str(step_ms)], READY_LINE) as child:
        raise_session(child.pid)
        yield Target(child.wait_ready().removeprefix(READY_LINE), "unused")


def profile(folder: Path, offering: Target, size: Size) -> Path:
    """As the plain engines are, so that Baseload's are."""
    document = yaml.safe_load(TEMPLATE.read_text())
    app = document["applications"][0]
    routing = app["deployments"][0]["user_config"]
    routing["ttft_budget_ms"] = PATIENT_MS
    routing["providers"]["stand-in"]["base_url"] = offering.base_url
    pool = app["args"]["pools"][0]
    pool["replicas"] = ENGINES
    pool["engine"] = {
        "context_tokens_max": CONTEXT_TOKENS_MAX,
        "running_max": size.running_max,
        "batched_tokens_max": BATCHED_TOKENS_MAX,
        "kv_blocks": size.kv_blocks,
    }
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
