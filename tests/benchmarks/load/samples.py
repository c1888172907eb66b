"""Rows and runs as they might have been."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from benchmarks.load.endpoint import Endpoint
from benchmarks.load.gpu import Telemetry
from benchmarks.load.measures import Slo, Window, measure
from benchmarks.load.request_row import WHOLE, Row
from benchmarks.load.row_table import table
from benchmarks.load.run import Run
from benchmarks.load.run_cost import cost
from benchmarks.load.schedule import Traffic
from benchmarks.load.setting import Setting

WINDOW = Window(0.0, 10.0)


def row(number: int = 0, due_s: float = 1.0, **given: Any) -> Row:
    """An answer of 5 tokens, 10 ms apart, whose first came 100 ms after it was due."""
    gaps_ms = given.pop("gaps_ms", [10.0] * 4)
    first_s = given.get("first_token_s", due_s + 0.1)
    last_s = None if first_s is None else first_s + sum(gaps_ms) / 1000
    plain: dict[str, Any] = {
        "number": number,
        "scheduled_s": due_s,
        "sent_s": due_s,
        "first_token_s": first_s,
        "last_token_s": last_s,
        "ended_s": due_s if last_s is None else last_s,
        "asked_prompt_tokens": 20,
        "asked_output_tokens": 5,
        "prompt_tokens": 20,
        "output_tokens": 5,
        "cached_tokens": None,
        "status": 200,
        "error": WHOLE,
        "gaps_ms": array("f", gaps_ms),
    }
    return Row(**(plain | given))


def failed(error: str, due_s: float = 1.0, **given: Any) -> Row:
    nothing: dict[str, Any] = {"first_token_s": None, "output_tokens": None, "gaps_ms": []}
    return row(due_s=due_s, error=error, **(nothing | {"prompt_tokens": None} | given))


def run_of(
    rows: Sequence[Row],
    number: int = 0,
    slo: Slo | None = None,
    price: Decimal | None = None,
    **given: Any,
) -> Run:
    frame: pl.DataFrame = table(rows, number)
    found = measure(frame, WINDOW, slo or Slo())
    plain: dict[str, Any] = {
        "number": number,
        "traffic": Traffic("poisson", 1.0),
        "window": WINDOW,
        "measures": found,
        "telemetry": Telemetry(busy_share=0.8, busy_of="1 GPU", power_w=350.0),
        "cost": cost(price, 1, found.own.good_tok_s, found.own.good_input_tok_s),
        "usd_per_mtok_all": None,
        "utilization": None,
        "processes": 1,
        "client_cpu_share": 0.1,
        "client_lag_ms_p99": 1.0,
        "is_client_bottleneck": False,
        "is_interrupted": False,
        "has_lost_processes": False,
        "messages": {},
        "notes": (),
        "rows": frame,
    }
    return Run(**(plain | given))


def setting(price: Decimal | None = None) -> Setting:
    return Setting(Endpoint("http://127.0.0.1:1/v1", "m"), card_usd_per_h=price)
