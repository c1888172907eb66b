"""The page of a benchmark: figures, plots, errors, and what was run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup

from benchmarks.load.figures import FIGURES, dollars, milliseconds, per_second, theta_in_words
from benchmarks.load.plots import cost_by_utilization, latencies, over_time
from benchmarks.load.result import Bench
from benchmarks.load.sweep import Sweep
from benchmarks.pages import UNKNOWN
from benchmarks.pages.drawing import Plot
from benchmarks.pages.page import head, notes, page, pairs, plots, row, section
from benchmarks.simulation.figures import share

TITLE = "Baseload benchmark"
OVER_TIME_MAX = 6  # plots of single runs


def report(bench: Bench) -> str:
    if not bench.runs:
        raise ValueError("a report needs at least one run")
    return page(TITLE, _parts(bench))


def _parts(bench: Bench) -> Iterator[Markup]:
    setting = bench.setting
    lead = (
        f"{setting.endpoint.model} at {setting.endpoint.base_url}, {_load(bench)}, "
        f"{setting.seconds:g} s after {setting.warmup_s:g} s of warm-up; in time is a first token "
        f"within {setting.slo.ttft_ms:g} ms and {setting.slo.tpot_ms:g} ms per token after it."
    )
    yield head(TITLE, lead, None if bench.sweep is None else theta_in_words(bench.sweep))
    if texts := bench.all_notes():
        yield notes(texts)
    yield _figures(bench) if bench.sweep is None else _curve(bench.sweep)
    if drawn := _drawn(bench):
        yield plots(drawn)
    yield from _errors(bench)
    yield pairs("What was run", _chosen(bench))


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


def _figures(bench: Bench) -> Markup:
    count = len(bench.counted)
    several = [f"run {run.number}" for run in bench.counted] if count > 1 else []
    heads = [f"mean of {count} ± 95 %" if several else "", *several]
    lines = [row("", [*heads, ""], "th", "heads")]
    for figure in FIGURES:
        cells = [figure.shown(bench.counted)]
        cells += [figure.shown([run]) for run in bench.counted] if several else []
        lines.append(row(figure.label, cells, says=figure.says))
    return section("Figures", lines, "many" if several else "")


def _curve(sweep: Sweep) -> Markup:
    names = [
        *("requests/s", "in time", "bought", "utilization", "good tokens/s per card"),
        *("USD per M output", "USD per M blended", "busy", "first token, p99"),
    ]
    lines = [row("run", names, "th", "heads")]
    for point in sweep.curve():
        cells = [
            f"{point['rate_per_s']:.3g}",
            _text(point["attainment"], share),
            _text(point["bought_share"], share),
            _text(point["utilization"], share),
            _text(point["good_tok_s_per_card"], per_second),
            _text(point["usd_per_mtok_output"], dollars),
            _text(point["usd_per_mtok_blended"], dollars),
            _text(point["busy_share"], share),
            _text(point["ttft_ms_p99"], milliseconds),
        ]
        lines.append(row(str(point["run"]), cells))
    return section("Cost by utilization", lines, "many")


def _text(value: float | None, text: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else text(value)


def _errors(bench: Bench) -> Iterator[Markup]:
    if found := bench.errors():
        lines = [row("kind", ["requests", "the first one said"], "th")]
        lines += [row(kind, [str(count), said]) for kind, (count, said) in found.items()]
        yield section("Errors", lines)


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
