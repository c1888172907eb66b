"""Measured load sweeps, one row per rate, through our formulas: its own $/M, and the SLO's.

The rows are those of vllm-cost-meter: a configuration's capacity there is its raw saturation,
where first tokens wait for seconds. Ours is what it delivers while the SLO holds, so that full
use costs more here: the difference is the price of the SLO.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from benchmarks.economics.cost import usd_per_mtok_output
from benchmarks.economics.input_checks import BadInput, above_zero, not_negative

ROWS_MAX = 100_000
# MLPerf's server limits for DeepSeek-R1. Its p99 per token is asked of the p90: rows have no other.
TTFT_P99_MS = Decimal(2_000)
TPOT_MS = Decimal(80)

_NUMBERS = (
    *("gpus", "rps", "tps_output", "ttft_p99_ms", "tpot_p90_ms"),
    *("gpu_cost_hr", "c_eff_per_mtok"),
)


@dataclass(frozen=True, slots=True)
class MeterRow:
    """One configuration at one rate. ``published_usd`` is the meter's own $/M output."""

    config: str
    model: str
    hardware: str
    cards: int
    rate_per_s: Decimal
    tok_s_per_card: Decimal
    ttft_p99_ms: Decimal
    tpot_p90_ms: Decimal
    busy_share: Decimal | None
    card_usd: Decimal
    published_usd: Decimal

    def meets(self, ttft_p99_ms: Decimal, tpot_ms: Decimal) -> bool:
        return self.ttft_p99_ms <= ttft_p99_ms and self.tpot_p90_ms <= tpot_ms


@dataclass(frozen=True, slots=True)
class Sweep:
    """The rates of one configuration. ``slo_tok_s`` is None where no rate meets the SLO."""

    config: str
    model: str
    hardware: str
    card_usd: Decimal
    rows: tuple[MeterRow, ...]
    raw_tok_s: Decimal
    slo_tok_s: Decimal | None

    def usd_per_mtok(self, row: MeterRow) -> Decimal:
        """As the meter has it: by the utilization of raw saturation."""
        return usd_per_mtok_output(
            self.card_usd, self.raw_tok_s, row.tok_s_per_card / self.raw_tok_s
        )

    @property
    def raw_usd(self) -> Decimal:
        return usd_per_mtok_output(self.card_usd, self.raw_tok_s)

    @property
    def slo_usd(self) -> Decimal | None:
        """At full use within the SLO: what a meter of raw saturation leaves out."""
        return (
            None if self.slo_tok_s is None else usd_per_mtok_output(self.card_usd, self.slo_tok_s)
        )


def read_meter_rows(path: Path) -> list[MeterRow]:
    """Raises BadInput with the line that cannot be read."""
    rows: list[MeterRow] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, cells in enumerate(csv.DictReader(file), start=2):
                if len(rows) == ROWS_MAX:
                    raise BadInput(f"{path}: more than {ROWS_MAX} rows: cut the file")
                rows.append(_row(f"{path}, line {number}", cells))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    return rows


def sweeps(
    rows: Iterable[MeterRow], ttft_p99_ms: Decimal = TTFT_P99_MS, tpot_ms: Decimal = TPOT_MS
) -> list[Sweep]:
    """By configuration, with its capacity with and without the SLO."""
    ordered = sorted(rows, key=lambda row: (row.config, row.rate_per_s))
    return [
        _sweep(tuple(group), ttft_p99_ms, tpot_ms)
        for _, group in groupby(ordered, key=lambda row: row.config)
    ]


def _sweep(rows: Sequence[MeterRow], ttft_p99_ms: Decimal, tpot_ms: Decimal) -> Sweep:
    good = [row.tok_s_per_card for row in rows if row.meets(ttft_p99_ms, tpot_ms)]
    first = rows[0]
    return Sweep(
        config=first.config,
        model=first.model,
        hardware=first.hardware,
        card_usd=first.card_usd,
        rows=tuple(rows),
        raw_tok_s=max(row.tok_s_per_card for row in rows),
        slo_tok_s=max(good, default=None),
    )


def _row(place: str, cells: Mapping[str, str]) -> MeterRow:
    if missing := [name for name in _NUMBERS if not cells.get(name)]:
        raise BadInput(f"{place}: lacks {', '.join(missing)}: cut short? mend or delete the line")
    value = {name: not_negative(f"{place}: {name}", cells[name]) for name in _NUMBERS}
    busy = cells.get("gpu_util_pct")
    cards = above_zero(f"{place}: gpus", value["gpus"])
    return MeterRow(
        config=cells["config"],
        model=cells["model"],
        hardware=cells["hardware"],
        cards=int(cards),
        rate_per_s=value["rps"],
        tok_s_per_card=above_zero(f"{place}: tps_output", value["tps_output"]) / cards,
        ttft_p99_ms=value["ttft_p99_ms"],
        tpot_p90_ms=value["tpot_p90_ms"],
        busy_share=not_negative(f"{place}: gpu_util_pct", busy) / 100 if busy else None,
        card_usd=above_zero(f"{place}: gpu_cost_hr", value["gpu_cost_hr"]) / cards,
        published_usd=value["c_eff_per_mtok"],
    )
