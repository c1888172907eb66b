"""Where this installation keeps its ledger, keys, checkpoint and logs."""

from __future__ import annotations

import os
from pathlib import Path

STATE_ENV = "BASELOAD_STATE"
ADDRESS_FILE = "ray-address"  # of the Ray that `baseload serve` runs on


def state_folder() -> Path:
    """Where ledger, key and checkpoint live: $BASELOAD_STATE, or beside the packages."""
    given = os.environ.get(STATE_ENV)
    return Path(given) if given else Path(__file__).resolve().parent.parent / ".baseload"
