"""The result as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from benchmarks.peers.confidence import IN_BRACKETS, with_bounds
from benchmarks.peers.overload import BUDGET_MS, Outcome
from benchmarks.peers.side_by_side import ANSWER_TOKENS, Row
from benchmarks.peers.verdicts import PeerVerdict
from models.money import NANO_PER_USD


def rows_table(title: str, rows: Sequence[Row], titles: Mapping[str, str]) -> Table:
    table = Table(title=f"{title}, answers of {ANSWER_TOKENS} tokens")
    names = ("c", "", "req/s", "chunks/s", "of direct", "range", "TTFT p50", "p99 ms", "of direct")
    for name in (*names, "CPU µs/chunk", "errors"):
        table.add_column(name, justify="left" if name == "" else "right")
    shown: int | None = None
    for row in sorted(rows, key=lambda row: row.concurrency):
        speed, first = row.figures["chunks_s"], row.figures["ttft_ms_p50"]
        if shown not in (None, row.concurrency):
            table.add_section()
        table.add_row(
            "" if shown == row.concurrency else str(row.concurrency),
            titles.get(row.way, row.way),
            f"{row.figures['req_s'].through:.1f}",
            f"{speed.through:.0f}",
            f"{speed.ratio:.2f}",
            f"{speed.ratio_min:.2f}–{speed.ratio_max:.2f}",
            f"{first.through:.1f}",
            f"{row.figures['ttft_ms_p99'].through:.1f}",
            f"{first.ratio:.2f}",
            f"{row.cpu_us_per_chunk:.1f}",
            str(row.errors),
        )
        shown = row.concurrency
    return table


def overload_table(outcomes: Sequence[Outcome], titles: Mapping[str, str]) -> Table:
    table = Table(
        title=f"Overload with a budget of {BUDGET_MS} ms to the first token",
        caption="in time per USD: what was not in time is counted as if it had been bought",
    )
    names = ("", "asked", "in time", "late", "refused", "lost", "TTFT p50", "p99 ms", "bought")
    for name in (*names, "USD spent", "in time/USD"):
        table.add_column(name, justify="left" if name == "" else "right")
    for each in outcomes:
        table.add_row(
            titles.get(each.way, each.way),
            str(each.asks),
            f"{each.attainment:.1%}",
            str(each.late),
            str(each.refused),
            str(each.lost),
            _ms(each.ttft_ms_p50),
            _ms(each.ttft_ms_p99),
            str(each.bought.requests),
            f"{each.spent_nano_usd / NANO_PER_USD:.4f}",
            f"{each.in_time_per_usd:.0f}",
        )
    return table


def verdict_table(verdicts: Sequence[PeerVerdict]) -> Table:
    bounded = any(each.low is not None for each in verdicts)
    table = Table(title="What Baseload claims", caption=IN_BRACKETS if bounded else None)
    for name in ("claim", "measured", "at least", "holds"):
        table.add_column(name, justify="left" if name == "claim" else "right")
    for each in verdicts:
        table.add_row(
            each.claim,
            "not measured" if each.value is None else with_bounds(each.value, each.low, each.high),
            f"{each.least:.1f}",
            {None: "", True: "yes", False: "no"}[each.holds],
        )
    return table


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
