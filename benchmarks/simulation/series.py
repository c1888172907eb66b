"""The state of a run over time, for plots. Bounded: a long run is sampled less often."""

from __future__ import annotations

from dataclasses import asdict, dataclass

SAMPLES_MAX = 7_200


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    queue_requests: int
    kv_share: float  # of the live replicas' KV cache
    running_share: float  # of their slots
    bid_price: float  # nano-USD per engine second
    spend_usd: float  # since the start


class Series:
    """Offer it a sample each ``interval_s``; past ``SAMPLES_MAX`` every other one is dropped."""

    def __init__(self, interval_s: float = 1.0) -> None:
        self.interval_s = interval_s
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        if len(self.samples) > SAMPLES_MAX:
            self.samples = self.samples[::2]
            self.interval_s *= 2

    def rows(self) -> list[dict[str, float | int]]:
        """Each sample with the rate of spending since the one before it."""
        rows: list[dict[str, float | int]] = []
        at_s = spend_usd = 0.0
        for sample in self.samples:
            span_s = sample.at_s - at_s
            rate = (sample.spend_usd - spend_usd) * 3600 / span_s if span_s > 0 else 0.0
            rows.append(asdict(sample) | {"spend_usd_per_h": rate})
            at_s, spend_usd = sample.at_s, sample.spend_usd
        return rows
