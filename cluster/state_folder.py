"""Where this installation keeps its ledger, keys, checkpoint and logs."""

from __future__ import annotations

import os
from pathlib import Path

STATE_ENV = "BASELOAD_STATE"
DRAIN_ENV = "BASELOAD_DRAIN_S"
DRAIN_S_DEFAULT = 20.0
ADDRESS_FILE = "ray-address"  # of the Ray that `baseload serve` runs on


def state_folder() -> Path:
    """Where ledger, key and checkpoint live: $BASELOAD_STATE, or beside the packages."""
    given = os.environ.get(STATE_ENV)
    return Path(given) if given else Path(__file__).resolve().parent.parent / ".baseload"


def drain_s_max(default_s: float = DRAIN_S_DEFAULT) -> float:
    """How long running requests may go on when a replica is told to stop."""
    return float(os.environ.get(DRAIN_ENV, default_s))
