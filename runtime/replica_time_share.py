"""How much of a replica's time a request took: processor sharing, measured.

Every moment of a busy replica is divided equally among the requests in flight on it, so the
shares add up to the busy time, to the nanosecond. This is the virtual time of generalised
processor sharing (Parekh and Gallager, 1993): it advances by 1/n per second while n requests
run, and a request's share is how far it advanced between its start and its end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from models.money import NanoUsd

HOUR_NS = 3_600_000_000_000
_SHARE = re.compile(r"(?P<cards>\d+) x .+ at (?P<hour>\d+) nano-USD/h x \d+ ns, ")


@dataclass(slots=True)
class ShareClock:
    """Virtual time of one replica, in integers. ``now_ns`` is a monotonic nanosecond count."""

    virtual_ns: int = 0
    undivided_ns: int = 0  # what was too small for equal parts: the last to end divides by one
    at_ns: int = 0
    in_flight: int = 0

    def start(self, now_ns: int) -> int:
        """A request begins; returns the mark to hand to ``stop``."""
        self._advance(now_ns)
        self.in_flight += 1
        return self.virtual_ns

    def stop(self, mark: int, now_ns: int) -> int:
        """The request that got ``mark`` ends; returns its share of the replica's time in ns."""
        self._advance(now_ns)
        self.in_flight -= 1
        return self.virtual_ns - mark

    def _advance(self, now_ns: int) -> None:
        elapsed_ns = max(0, now_ns - self.at_ns)
        self.at_ns += elapsed_ns
        if not self.in_flight:
            self.undivided_ns = 0
            return
        part_ns, self.undivided_ns = divmod(elapsed_ns + self.undivided_ns, self.in_flight)
        self.virtual_ns += part_ns


def share_in_words(share_ns: int, card: str, card_hour_nano_usd: int, cards: int) -> str:
    """How a cost was derived from a share, for a reader of the ledger."""
    return (
        f"{cards} x {card} at {card_hour_nano_usd} nano-USD/h"
        f" x {share_ns} ns, its equal share of the replica's busy time"
    )


def replica_hour_nano(derivation: str) -> NanoUsd | None:
    """What an hour of all cards of the replica costs, read from ``share_in_words``."""
    said = _SHARE.match(derivation)
    return int(said["cards"]) * int(said["hour"]) if said else None


def share_cost_nano(share_ns: int, card_hour_nano_usd: int, cards: int) -> int:
    """Cost of a share of a replica's time in nano-USD, rounded up once."""
    return -(-share_ns * cards * card_hour_nano_usd // HOUR_NS)
