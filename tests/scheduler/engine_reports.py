"""What an engine may report on a walk, the absurd included."""

from __future__ import annotations

from math import nan
from typing import Any

# What an engine counts, and by how much that grows between two reports at most.
TOTALS = {
    "busy_s": 2,
    "steps": 60,
    "prefilled_tokens": 4_000,
    "decoded_tokens": 500,
    "prefix_hit": 400,
}
ABSURD: list[dict[str, Any]] = [
    {"running": -1},
    {"running": 9},
    {"decode_step_s": nan},
    {"prefill_tok_s": -1.0},
    {"busy_s": nan},
    {"busy_s": 1e300},
    {"steps": -5},
    {"prefilled_tokens": 10**30},
]
