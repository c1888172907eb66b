"""The figures of one run, from its rows alone.

A request counts if it was due within the window: what came before is warm-up. Latencies are taken
from when a request was due, so that one that had to wait for others is late (coordinated
omission), and once more from when it was sent. Rates count the tokens that arrived within the
window, those of requests that began before it included.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.load.endpoint import BadLoad
from benchmarks.load.request_row import WHOLE, ErrorKind
from models.money import NANO_PER_USD
from scheduler.target import TargetKind

SECONDS_PER_HOUR = 3600.0
IS_BOUGHT = pl.col("target").str.starts_with(TargetKind.OFFER.prefix).fill_null(value=False)
NOT_INTERRUPTED = pl.col("error") != ErrorKind.INTERRUPTED.value


@dataclass(frozen=True, slots=True)
class Slo:
    """``attainment`` is the share of requests that must keep both budgets."""

    ttft_ms: float = 2000.0
    tpot_ms: float = 80.0
    attainment: float = 0.99

    def __post_init__(self) -> None:
        for name, value in (("ttft", self.ttft_ms), ("tpot", self.tpot_ms)):
            if not value > 0:
                raise BadLoad(f"--slo-{name}-ms {value:g}: give milliseconds above 0")
        if not 0 < self.attainment <= 1:
            raise BadLoad(f"--attainment {self.attainment:g}: give a share above 0, at most 1")


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds of the run that are measured."""

    from_s: float
    to_s: float

    @property
    def length_s(self) -> float:
        return self.to_s - self.from_s


@dataclass(frozen=True, slots=True)
class Latency:
    mean: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class Own:
    """What the cards made by themselves: what was bought counts as missed. Before an endpoint that
    does not say where its answers come from, that is all there is."""

    attainment: float | None
    output_tok_s: float
    good_tok_s: float
    good_input_tok_s: float


@dataclass(frozen=True, slots=True)
class Bought:
    """What a router before the cards bought elsewhere; ``usd_per_h`` is None where the bill of
    some of it was not told."""

    answers: int
    share: float  # of the answers
    output_tok_s: float
    usd_per_h: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """``_sent`` is measured from when a request was sent; the rest from when it was due.

    ``own`` is the cards' part of it, ``bought`` the rest; None where the endpoint does not tell.
    A figure that nothing was seen of is None. Good requests kept both budgets of the SLO; the
    input of ``good_input_tok_s`` is theirs, in the proportion of their output.
    """

    window_s: float
    requests: int
    answered: int
    errors: dict[str, int]
    attainment: float | None
    offered_req_s: float
    req_s: float
    good_req_s: float
    output_tok_s: float
    good_tok_s: float
    good_input_tok_s: float
    ttft_ms: Latency | None
    tpot_ms: Latency | None
    itl_ms: Latency | None
    e2e_ms: Latency | None
    ttft_sent_ms: Latency | None
    e2e_sent_ms: Latency | None
    prompt_tokens_mean: float | None
    output_tokens_mean: float | None
    asked_output_tokens_mean: float | None
    cached_share: float | None
    own: Own
    bought: Bought | None
    whole_run_tok_s: float  # from the first request to the last token, warm-up and end included

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(rows: pl.DataFrame, window: Window, slo: Slo) -> Measures:
    """``rows`` are those of one run."""
    kept = rows.filter(NOT_INTERRUPTED)
    timed = _timed(kept, slo)
    due = due_within(timed, window)
    whole = due.filter(pl.col("error") == WHOLE)
    good = due.filter(pl.col("is_good"))
    good_tok_s, good_input_tok_s = _good(timed, window)
    return Measures(
        window_s=window.length_s,
        requests=due.height,
        answered=whole.height,
        errors=dict(sorted(Counter(e for e in due["error"].to_list() if e != WHOLE).items())),
        attainment=good.height / due.height if due.height else None,
        offered_req_s=due.height / window.length_s,
        req_s=whole.height / window.length_s,
        good_req_s=good.height / window.length_s,
        output_tok_s=_delivered(timed, window),
        good_tok_s=good_tok_s,
        good_input_tok_s=good_input_tok_s,
        ttft_ms=_latency(whole, "ttft_ms"),
        tpot_ms=_latency(whole, "tpot_ms"),
        itl_ms=_of_values(whole["gaps_ms"].explode().drop_nulls().to_numpy()),
        e2e_ms=_latency(whole, "e2e_ms"),
        ttft_sent_ms=_latency(whole, "ttft_sent_ms"),
        e2e_sent_ms=_latency(whole, "e2e_sent_ms"),
        prompt_tokens_mean=_mean(whole, "prompt_tokens"),
        output_tokens_mean=_mean(whole, "output_tokens"),
        asked_output_tokens_mean=_mean(whole, "asked_output_tokens"),
        cached_share=_cached_share(whole),
        own=_own(timed, due, window),
        bought=_bought(timed, whole, window),
        whole_run_tok_s=_whole_run(kept),
    )


def _good(timed: pl.DataFrame, window: Window) -> tuple[float, float]:
    """Output and input tokens per second of good answers; what came before the window delivers
    within it."""
    good = timed.filter(pl.col("is_good"))
    tok_s = _delivered(good, window)
    output, prompts = _sum(good, "output_tokens"), _sum(good, "prompt_tokens")
    return tok_s, tok_s * prompts / output if output else 0.0


def _own(timed: pl.DataFrame, due: pl.DataFrame, window: Window) -> Own:
    own = timed.filter(~IS_BOUGHT)
    good = due.filter(pl.col("is_good") & ~IS_BOUGHT).height
    return Own(
        good / due.height if due.height else None, _delivered(own, window), *_good(own, window)
    )


def _bought(timed: pl.DataFrame, whole: pl.DataFrame, window: Window) -> Bought | None:
    if timed["target"].is_null().all():
        return None
    bought = whole.filter(IS_BOUGHT)
    bills = bought["cost_nano_usd"]
    usd = None if bills.null_count() else int(bills.sum()) / NANO_PER_USD
    return Bought(
        answers=bought.height,
        share=bought.height / whole.height if whole.height else 0.0,
        output_tok_s=_delivered(timed.filter(IS_BOUGHT), window),
        usd_per_h=None if usd is None else usd / window.length_s * SECONDS_PER_HOUR,
    )


def due_within(rows: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Those that count."""
    is_due = pl.col("scheduled_s").is_between(window.from_s, window.to_s, closed="left")
    return rows.filter(is_due & NOT_INTERRUPTED)


def _timed(rows: pl.DataFrame, slo: Slo) -> pl.DataFrame:
    """With the latencies of each request, and whether it was good."""
    first, last, ended = pl.col("first_token_s"), pl.col("last_token_s"), pl.col("ended_s")
    due, sent = pl.col("scheduled_s"), pl.col("sent_s")
    timed = rows.with_columns(
        ttft_ms=(first - due) * 1000,
        ttft_sent_ms=(first - sent) * 1000,
        e2e_ms=(ended - due) * 1000,
        e2e_sent_ms=(ended - sent) * 1000,
        tpot_ms=pl.when(pl.col("output_tokens") > 1).then(
            (last - first) * 1000 / (pl.col("output_tokens") - 1)
        ),
    )
    in_time = (pl.col("ttft_ms") <= slo.ttft_ms) & (pl.col("tpot_ms").fill_null(0.0) <= slo.tpot_ms)
    return timed.with_columns(is_good=((pl.col("error") == WHOLE) & in_time).fill_null(value=False))


def _delivered(rows: pl.DataFrame, window: Window) -> float:
    """Tokens per second that arrived within the window; an event carries its share of them."""
    tokens = 0.0
    begun = rows.filter(pl.col("first_token_s") < window.to_s)
    for first_s, told, lost, gaps in begun.select(
        "first_token_s", "output_tokens", "gaps_lost", "gaps_ms"
    ).iter_rows():
        at_s = first_s + np.concatenate(([0.0], np.cumsum(np.asarray(gaps, float)))) / 1000
        inside = np.count_nonzero((at_s >= window.from_s) & (at_s < window.to_s))
        events = len(at_s) + lost
        tokens += inside * (told / events if told is not None else 1.0)
    return tokens / window.length_s


def _whole_run(rows: pl.DataFrame) -> float:
    told = rows.filter(pl.col("error") == WHOLE)
    if told.is_empty():
        return 0.0
    times = told.select(first=pl.col("sent_s").min(), last=pl.col("ended_s").max()).row(0)
    return _sum(told, "output_tokens") / float(times[1] - times[0])


def _cached_share(rows: pl.DataFrame) -> float | None:
    told = rows.filter(pl.col("cached_tokens").is_not_null())
    if told.is_empty():
        return None
    return _sum(told, "cached_tokens") / _sum(told, "prompt_tokens")


def _sum(rows: pl.DataFrame, column: str) -> int:
    return int(rows[column].sum())


def _mean(rows: pl.DataFrame, column: str) -> float | None:
    values = rows[column].drop_nulls().to_numpy()
    return float(values.mean()) if values.size else None


def _latency(rows: pl.DataFrame, column: str) -> Latency | None:
    return _of_values(rows[column].drop_nulls().to_numpy())


def _of_values(values: NDArray[Any]) -> Latency | None:
    if not values.size:
        return None
    p50, p90, p99 = (float(value) for value in np.percentile(values, (50, 90, 99)))
    return Latency(float(values.mean()), p50, p90, p99)
