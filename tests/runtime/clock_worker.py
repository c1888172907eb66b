"""A process with requests on a replica that others use, too.

Run as ``python -m tests.runtime.clock_worker <ledger> <owner>``. Prints the nanoseconds that it
was billed for, and the times at which it began and ended.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from runtime.ledger.open_store import open_store
from runtime.targets.replica_clocks import SharedClocks

REQUESTS = 3_000
AT_ONCE = 4


def main(ledger: Path, owner: str) -> None:
    store = open_store(ledger)
    claim = store.liveness.claim(owner)
    clocks = SharedClocks.open(store, owner)
    clock = clocks.clock("r1", 1)
    began_ns, shares_ns, marks = time.monotonic_ns(), 0, list[int]()
    for _ in range(REQUESTS):
        marks.append(clock.start(time.monotonic_ns()))
        if len(marks) > AT_ONCE:
            shares_ns += clock.stop(marks.pop(0), time.monotonic_ns())
    while marks:
        shares_ns += clock.stop(marks.pop(0), time.monotonic_ns())
    ended_ns = time.monotonic_ns()
    clocks.close()
    claim.end()
    print(shares_ns, began_ns, ended_ns)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
