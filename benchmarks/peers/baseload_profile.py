"""The profile of Baseload's stack for this comparison."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.plain_engines import (
    BATCHED_TOKENS_MAX,
    CONTEXT_TOKENS_MAX,
    Size,
)
from benchmarks.rig.common import Target
from benchmarks.rig.stand_in import write_profile

PATIENT_MS = 60_000  # the budget of who names none: nothing is bought for them


def profile(folder: Path, offering: Target, size: Size) -> Path:
    """A profile whose engines are as the plain ones are: as many as its profile has."""
    engine = {
        "context_tokens_max": CONTEXT_TOKENS_MAX,
        "max_num_seqs": size.running_max,
        "max_num_batched_tokens": BATCHED_TOKENS_MAX,
        "kv_blocks": size.kv_blocks,
    }
    return write_profile(folder, offering, engine, ttft_budget_ms=PATIENT_MS)
