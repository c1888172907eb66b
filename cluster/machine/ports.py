"""Ports of this machine: whether one is free, and a range that belongs to one run alone."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from runtime.errors import ConfigError

# Below the ports that the system gives out by itself.
FIRST, PER_RUN, RUNS = 21_000, 100, 90
REPLICA_PORTS = 90  # of a range, for the replicas behind HAProxy; the rest is for single ones
ANY = range(31_000, 32_700)  # for what is told a port before it listens
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class PortRange:
    """Belongs to whoever made it until ``close``, or the end of its process.

    Ray Serve tells HAProxy of ports before it binds them, and shares some with whoever else binds
    them: two runs that used the same ones would answer each other's callers.
    """

    first: int
    _claim: socket.socket

    @property
    def for_replicas(self) -> range:
        return range(self.first, self.first + REPLICA_PORTS)

    def single(self, count: int) -> Sequence[int]:
        return range(self.first + REPLICA_PORTS, self.first + REPLICA_PORTS + count)

    def close(self) -> None:
        self._claim.close()


def claim_range(seed: int) -> PortRange:
    """The first range from ``seed`` on that no run holds. Its last port, bound, is the claim."""
    for offset in range(RUNS):
        first = FIRST + PER_RUN * ((seed + offset) % RUNS)
        claim = socket.socket()
        try:
            claim.bind((LOOPBACK, first + PER_RUN - 1))
        except OSError:
            claim.close()
            continue
        singles = range(first + REPLICA_PORTS, first + PER_RUN - 1)
        if all(port_is_free(LOOPBACK, port) for port in singles):
            return PortRange(first, claim)
        claim.close()
    raise ConfigError(
        f"no free range of {PER_RUN} ports from {FIRST} to {FIRST + PER_RUN * RUNS - 1}: stop what "
        "holds them"
    )


def free_ports(count: int) -> list[int]:
    """Drawn from ``ANY``: one that the system gives out by itself may be the near end of some
    connection by the time it is listened on. Raises ConfigError if there are too few."""
    free = (port for port in random.sample(ANY, len(ANY)) if port_is_free(LOOPBACK, port))
    found = list(islice(free, count))
    if len(found) == count:
        return found
    raise ConfigError(f"fewer than {count} ports from {ANY.start} to {ANY.stop - 1} are free")


def port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
