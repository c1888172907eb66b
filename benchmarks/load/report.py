"""The page of a benchmark: figures, plots, errors, and what was run."""

from __future__ import annotations

from benchmarks.load.figures import FIGURES, dollars, milliseconds, per_second, theta_in_words
from benchmarks.load.plots import cost_by_utilization, latencies, over_time
from benchmarks.load.result import Bench
from benchmarks.pages import UNKNOWN
from benchmarks.pages.drawing import Plot, labelled
from benchmarks.pages.templates import environment
from benchmarks.simulation.figures import share

OVER_TIME_MAX = 6  # plots of single runs

_TEMPLATES = environment(
    "benchmarks.load",
    is_html=True,
    dollars=dollars,
    milliseconds=milliseconds,
    per_second=per_second,
    share=share,
)


def report(bench: Bench) -> str:
    if not bench.runs:
        raise ValueError("a report needs at least one run")
    counted = bench.counted
    return _TEMPLATES.get_template("bench.html.j2").render(
        title="Baseload benchmark",
        bench=bench,
        load=_load(bench),
        verdict=None if bench.sweep is None else theta_in_words(bench.sweep),
        counted=counted,
        several=counted if len(counted) > 1 else [],
        figures=FIGURES,
        drawn=labelled(_drawn(bench)),
        chosen=_chosen(bench),
    )


def _drawn(bench: Bench) -> list[Plot]:
    if bench.sweep is not None:
        return [] if bench.sweep.theta is None else [cost_by_utilization(bench.sweep.curve())]
    return [latencies(bench.runs, bench.setting.slo), *map(over_time, bench.runs[:OVER_TIME_MAX])]


def _load(bench: Bench) -> str:
    traffic = bench.traffic
    if traffic.is_closed:
        return f"{traffic.concurrency} requests under way at a time"
    if bench.sweep is not None:
        return f"{traffic.arrivals} arrivals at rising rates"
    rate = traffic.rate_per_s or traffic.own_rate_per_s()
    return f"{traffic.arrivals} arrivals at {rate:.3g} requests/s"


def _chosen(bench: Bench) -> dict[str, str]:
    setting = bench.setting
    price = setting.card_usd_per_h
    chosen = {name.replace("_", " "): str(v) for name, v in bench.traffic.as_json().items()}
    chosen |= {
        "cards": str(setting.cards),
        "card price, USD/h": UNKNOWN if price is None else str(price),
        "tokens per word": f"{setting.wording.tokens_per_word:.3f}",
        "load processes": str(max(run.processes for run in bench.runs)),
        "busy of": bench.runs[0].telemetry.busy_of or bench.runs[0].telemetry.why_none or UNKNOWN,
    }
    machine = bench.origin.get("machine", {})
    return chosen | {
        "date": str(bench.origin.get("date", UNKNOWN)),
        "client machine": f"{machine.get('cpu', UNKNOWN)}, {machine.get('cores', UNKNOWN)} cores",
    }
