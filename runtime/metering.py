"""How much of a replica's time a request took: processor sharing, measured.

Every second of a busy replica is divided equally among the requests in flight on it, so the
shares add up to the busy time exactly. This is the virtual time of generalised processor
sharing (Parekh and Gallager, 1993): it advances by 1/n per second while n requests run, and
a request's share is how far it advanced between its start and its end.
"""

from __future__ import annotations

HOUR_US = 3_600_000_000
VIRTUAL_SCALE = 1_000  # virtual time counts in nanoseconds: finer than any share we bill


class ShareClock:
    """Virtual time of one replica, in integers. ``now_us`` is a monotonic microsecond count."""

    def __init__(self) -> None:
        self._virtual_ns = 0
        self._in_flight = 0
        self._at_us = 0

    def start(self, now_us: int) -> int:
        """A request begins; returns the mark to hand to ``stop``."""
        self._advance(now_us)
        self._in_flight += 1
        return self._virtual_ns

    def stop(self, mark: int, now_us: int) -> int:
        """The request that got ``mark`` ends; returns its share of replica time in µs, up."""
        self._advance(now_us)
        self._in_flight -= 1
        return -(-(self._virtual_ns - mark) // VIRTUAL_SCALE)

    def _advance(self, now_us: int) -> None:
        elapsed_us = max(0, now_us - self._at_us)
        if self._in_flight:
            self._virtual_ns += elapsed_us * VIRTUAL_SCALE // self._in_flight
        self._at_us = max(now_us, self._at_us)


def share_cost_nano(share_us: int, card_hour_nano_usd: int, cards: int) -> int:
    """Cost of a share of a replica's time in nano-USD, rounded up once."""
    return -(-share_us * cards * card_hour_nano_usd // HOUR_US)
