"""What is asked and when: arrivals, lengths and shared prefixes of one run, from a seed.

``poisson``, ``gamma`` (bursts) and ``fixed`` arrive at a rate; ``trace`` at its own times, which
may be scaled; ``closed`` has no times: each answer makes room for the next request. Arrivals at a
rate are spread over the whole run, so that their number is the rate's exactly: what is left to
chance is when they come, not how many. One seed gives the same pattern at every rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, nextafter
from typing import Any, Literal, TypeAlias

from benchmarks.load.endpoint import BadLoad
from benchmarks.simulation.arrivals import (
    BURST_VARIATION,
    VARIATION_MAX,
    VARIATION_MIN,
    repeated,
    synthetic_rows,
)
from benchmarks.simulation.traces import MOONCAKE_BLOCK_TOKENS, ROWS_MAX, TOKENS_MAX, TraceRow

Arrivals: TypeAlias = Literal["poisson", "gamma", "fixed", "trace", "closed"]

RATE_MAX = 100_000.0
CONCURRENCY_MAX = 16_384
IN_FLIGHT_MAX = 8_192  # of an open loop that sets no limit of its own: files that may be open
SHARED_BLOCK = 0  # of requests without a trace: all have the same prefix


@dataclass(frozen=True, slots=True)
class Ask:
    """An ask is one request. ``at_s`` means nothing in a closed loop; ``budget_ms``, to the first
    token, is told to a Baseload."""

    number: int
    at_s: float
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()
    budget_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """``rate_per_s`` is a trace's own where None; ``concurrency`` bounds an open loop as well.

    ``rows`` are those of a trace: lengths and prefixes, and with ``trace`` arrivals the times.
    """

    arrivals: Arrivals
    rate_per_s: float | None = None
    concurrency: int | None = None
    input_tokens: int = 512
    output_tokens: int = 128
    prefix_tokens: int = 0  # of the input, the same in all
    variation: float = BURST_VARIATION  # of gamma gaps
    rows: tuple[TraceRow, ...] = ()
    trace_name: str = ""
    length_scale: float = 1.0  # of a trace's lengths
    seed: int = 0

    def __post_init__(self) -> None:
        _check_arrivals(self)
        _check_lengths(self)

    @property
    def is_closed(self) -> bool:
        return self.arrivals == "closed"

    @property
    def in_flight_max(self) -> int:
        return self.concurrency or IN_FLIGHT_MAX

    @property
    def block_tokens(self) -> int:
        if self.rows:
            return max(1, round(MOONCAKE_BLOCK_TOKENS * self.length_scale))
        return self.prefix_tokens

    def own_rate_per_s(self) -> float:
        """The rate at which the trace itself has requests, per second."""
        return len(self.rows) / _span_s(self.rows)

    def asks(self, lasting_s: float) -> list[Ask]:
        """The requests in the order of their time; of a closed loop, the lengths that follow each
        other, over and over."""
        if self.is_closed:
            return self._numbered([0.0] * (len(self.rows) or 1), self.rows)
        if self.arrivals == "trace":
            return self._replayed(lasting_s)
        times_s = self._times_s(lasting_s)
        return self._numbered(times_s, self.rows)

    def as_json(self) -> dict[str, Any]:
        shown = {"arrivals": self.arrivals, "rate_per_s": self.rate_per_s}
        shown |= {"concurrency": self.concurrency, "seed": self.seed}
        if self.arrivals == "gamma":
            shown["variation"] = self.variation
        if self.rows:
            trace = {"trace": self.trace_name, "trace_rows": len(self.rows)}
            return shown | trace | {"length_scale": self.length_scale}
        lengths = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        return shown | lengths | {"prefix_tokens": self.prefix_tokens}

    def _times_s(self, lasting_s: float) -> list[float]:
        assert self.rate_per_s is not None  # noqa: S101 -- checked when it was made
        count = max(1, round(self.rate_per_s * lasting_s))
        if count >= ROWS_MAX:
            raise BadLoad(f"{count} requests in one run: at most {ROWS_MAX}; lower --rate")
        if self.arrivals == "fixed":
            return [number * lasting_s / count for number in range(count)]
        kind: Literal["poisson", "gamma"] = "gamma" if self.arrivals == "gamma" else "poisson"
        drawn = synthetic_rows(kind, count + 1, 1.0, self.seed, variation=self.variation)
        before_the_end_s = nextafter(lasting_s, 0.0)  # a burst has gaps too small for a float
        scale = lasting_s / drawn[-1].at_s
        return [min(row.at_s * scale, before_the_end_s) for row in drawn[:-1]]

    def _replayed(self, lasting_s: float) -> list[Ask]:
        scale = 1.0 if self.rate_per_s is None else self.rate_per_s / self.own_rate_per_s()
        times = max(1, ceil(lasting_s * scale / _span_s(self.rows)))
        if times * len(self.rows) > ROWS_MAX:
            raise BadLoad("the trace is too short for so long a run: lower --seconds or the load")
        rows = [row for row in repeated(self.rows, times) if row.at_s / scale < lasting_s]
        return self._numbered([row.at_s / scale for row in rows], rows)

    def _numbered(self, times_s: Sequence[float], rows: Sequence[TraceRow]) -> list[Ask]:
        if not rows:
            blocks = (SHARED_BLOCK,) if self.prefix_tokens else ()
            return [
                Ask(number, at_s, self.input_tokens, self.output_tokens, blocks)
                for number, at_s in enumerate(times_s)
            ]
        return [
            self._scaled(number, at_s, rows[number % len(rows)])
            for number, at_s in enumerate(times_s)
        ]

    def _scaled(self, number: int, at_s: float, row: TraceRow) -> Ask:
        prompt, output = (
            max(1, round(tokens * self.length_scale))
            for tokens in (row.prompt_tokens, row.output_tokens)
        )
        return Ask(number, at_s, prompt, output, row.blocks)


def _span_s(rows: Sequence[TraceRow]) -> float:
    """To the last arrival, and one mean gap after it."""
    return rows[-1].at_s * len(rows) / (len(rows) - 1)


def _check_arrivals(traffic: Traffic) -> None:
    rate, concurrency, rows = traffic.rate_per_s, traffic.concurrency, traffic.rows
    if rate is not None and not 0 < rate <= RATE_MAX:
        raise BadLoad(f"--rate {rate:g}: give requests per second, above 0 to {RATE_MAX:g}")
    if concurrency is not None and not 1 <= concurrency <= CONCURRENCY_MAX:
        raise BadLoad(f"--concurrency {concurrency}: give 1 to {CONCURRENCY_MAX}")
    if traffic.is_closed:
        if concurrency is None:
            raise BadLoad("closed arrivals: give --concurrency, how many are under way at a time")
        if rate is not None:
            raise BadLoad("closed arrivals have no rate: leave out --rate")
    elif traffic.arrivals == "trace":
        if len(rows) < 2 or rows[-1].at_s <= 0:
            raise BadLoad("trace arrivals: give a --trace with requests at different times")
    elif rate is None:
        raise BadLoad(
            f"{traffic.arrivals} arrivals: give --rate, in requests per second; or --concurrency, "
            "or --trace"
        )
    if not VARIATION_MIN <= traffic.variation <= VARIATION_MAX:
        raise BadLoad(
            f"--variation {traffic.variation:g}: give {VARIATION_MIN} to {VARIATION_MAX:g}"
        )


def _check_lengths(traffic: Traffic) -> None:
    for name in ("input_tokens", "output_tokens"):
        if not 1 <= getattr(traffic, name) <= TOKENS_MAX:
            raise BadLoad(f"--{name.removesuffix('_tokens')}: give 1 to {TOKENS_MAX} tokens")
    if not 0 <= traffic.prefix_tokens <= traffic.input_tokens:
        raise BadLoad("--prefix is part of the input: give 0 up to --input")
    if not (isfinite(traffic.length_scale) and traffic.length_scale > 0):
        raise BadLoad(f"--length-scale {traffic.length_scale:g}: give a number above 0")
