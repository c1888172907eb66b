"""A profile for tests: the order of magnitude of one replica on a large card."""

from __future__ import annotations

from pathlib import Path

from benchmarks.simulation.profile import Profile

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

PROFILE = Profile(
    name="example",
    source="test",
    prefill_tok_s=18_000.0,
    step_fixed_s=9e-3,
    step_request_s=3.7e-4,
    step_kv_token_s=1e-8,
    kv_tokens_max=400_000,
    running_max=64,
    batched_tokens_max=8_192,
    context_tokens_max=131_072,
)
