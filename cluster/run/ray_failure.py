"""Why Ray did not start, and what to do about it, where Ray's own words do not say."""

from __future__ import annotations

from cluster.machine.host import Host
from runtime.errors import BaseloadError

# What Ray says where one of its processes had no turn on a core, and its own patience of 30 s to a
# minute ended: of the node, of its control store, of its agents.
LATE = (
    "timed out during startup",
    "timed out while waiting for",
    "failed to start in",
    "gcs has become overloaded",
    "failed to connect to gcs",
    "deadline exceeded",
)
LOAD_PER_CORE_BUSY = 2.0


def in_words(error: Exception, host: Host) -> str:
    """What to do about it, in one line. ``host`` is this machine as of now."""
    text = error.message if isinstance(error, BaseloadError) else " ".join(str(error).split())
    line = f"Ray did not start: {type(error).__name__}: {text}"
    if not any(each in text.lower() for each in LATE):
        return line
    cores = f"{host.cores} core" + ("" if host.cores == 1 else "s")
    now = f"this machine has {cores} and a load of {host.load:.1f}"
    if host.load_per_core > LOAD_PER_CORE_BUSY:
        return (
            f"{line.rstrip('.')}: {now}, more than Ray waits for: try again when it is less busy, "
            "or end what runs on it (`top`)"
        )
    return (
        f"{line.rstrip('.')}: {now}: try again; if it stays so, `baseload doctor` says what this "
        "machine lacks, and Ray's own logs are in /tmp/ray/session_latest/logs"
    )
