"""The bid price: what a second of an engine is worth, in nano-USD.

Local time is paid already, so it is worth nothing until it binds. When more is asked for than
the pool has, it is worth what the last request that fits would have cost elsewhere: recent
demand, sorted by what buying it would cost per engine second, is filled up from the dearest, and
the price is read where the capacity ends. Demand that must not be bought comes before all.

What a request must be worth to be admitted now, the admission price, rises with the occupancy
``u`` of the pool as ``e^8u - 1`` (the pricing of online packing: Buchbinder and Naor, "Online
primal-dual algorithms for covering and packing", 2009) until it reaches the bid price at 0.7, so
that a half empty pool refuses nobody, and one that fills up keeps its room for those who are worth
it.
"""

from __future__ import annotations

from collections import deque
from math import exp, exp2, expm1, inf, log2

from scheduler.settings import Settings

BUCKETS_PER_OCTAVE = 8
OCTAVES = 60  # values from 1 nano-USD per engine second up; all above count as the highest
BUCKETS = BUCKETS_PER_OCTAVE * OCTAVES
STEEPNESS = 8.0
FULL_PRICE_AT = 0.7  # of the pool's slots or KV, whichever is taken more
UPDATE_S = 0.25
WINDOW_S_MIN = 2.0  # a shorter one would take a few requests for a trend


class DemandCurve:
    """Work asked for per second, by its value: what buying it would cost per engine second. Over a
    window that fades exponentially."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._work_s = [0.0] * (BUCKETS + 1)
        self._started_at: float | None = None
        self._faded_at = 0.0

    def add(self, value_nano_per_s: float, work_s: float, now: float) -> None:
        if self._started_at is None:
            self._started_at = self._faded_at = now
        self._work_s[_bucket(value_nano_per_s)] += work_s

    def take_back(self, value_nano_per_s: float, work_s: float) -> None:
        """What was added a moment ago and is asked for elsewhere now."""
        bucket = _bucket(value_nano_per_s)
        self._work_s[bucket] = max(0.0, self._work_s[bucket] - work_s)

    def price_at(self, capacity: float, now: float) -> float:
        """The value down to which demand fits ``capacity`` engine seconds per second; else 0."""
        if self._started_at is None:
            return 0.0
        keep = exp(-(now - self._faded_at) / self.window_s)
        self._faded_at = now
        self._work_s = [work_s * keep for work_s in self._work_s]
        # A window that has only begun to fill stands for the time since it began.
        elapsed_s = self.window_s * -expm1(-(now - self._started_at) / self.window_s)
        room_s = capacity * max(elapsed_s, WINDOW_S_MIN)
        for bucket in range(BUCKETS, -1, -1):
            work_s = self._work_s[bucket]
            if work_s > room_s:
                return _value_in(bucket, 1 - room_s / work_s)
            room_s -= work_s
        return 0.0


def _bucket(value_nano_per_s: float) -> int:
    if value_nano_per_s < 1:
        return 0
    if value_nano_per_s == inf:
        return BUCKETS
    return min(BUCKETS - 1, int(log2(value_nano_per_s) * BUCKETS_PER_OCTAVE))


def _value_in(bucket: int, part: float) -> float:
    """Within a bucket demand is taken as even."""
    return exp2((bucket + part) / BUCKETS_PER_OCTAVE)


class BidPrice:
    """One per pool: ``price`` while capacity binds, ``admission_price`` at the present occupancy,
    and ``low_water_price``, the lowest of the last seconds, so that one burst does not send
    anyone away at once."""

    def __init__(self, settings: Settings) -> None:
        self.price = self.admission_price = self.low_water_price = self.occupancy = 0.0
        self._curve = DemandCurve(settings.spill.demand_window_ms / 1000)
        self._recent: deque[float] = deque()
        self.configure(settings)
        self._updated_at = -inf

    def configure(self, settings: Settings) -> None:
        """What was seen so far stays."""
        self._curve.window_s = settings.spill.demand_window_ms / 1000
        length = max(1, int(settings.spill.hysteresis_ms / 1000 / UPDATE_S))
        self._recent = deque(self._recent, maxlen=length)

    def add(self, value_nano_per_s: float, work_s: float, now: float) -> None:
        self._curve.add(value_nano_per_s, work_s, now)

    def take_back(self, value_nano_per_s: float, work_s: float) -> None:
        self._curve.take_back(value_nano_per_s, work_s)

    def update(self, capacity: float, occupancy: float, now: float) -> None:
        if now - self._updated_at >= UPDATE_S:
            self._updated_at = now
            self.price = self._curve.price_at(capacity, now)
            self._recent.append(self.price)
            full = len(self._recent) == self._recent.maxlen
            self.low_water_price = min(self._recent) if full else 0.0
        self.occupy(occupancy)

    def occupy(self, occupancy: float) -> None:
        self.occupancy = occupancy
        share = expm1(STEEPNESS * occupancy) / expm1(STEEPNESS * FULL_PRICE_AT)
        self.admission_price = self.price * min(1.0, share)
