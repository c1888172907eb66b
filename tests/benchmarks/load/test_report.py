from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from benchmarks.load.figures import FIGURES
from benchmarks.load.report import report
from benchmarks.load.request_row import ErrorKind
from benchmarks.load.result import Bench
from benchmarks.load.schedule import Traffic
from benchmarks.load.theta_sweep import Sweep, Sweeper
from tests.benchmarks.load.samples import failed, row, run_of, setting
from tests.benchmarks.load.test_result import bench_of, some
from tests.benchmarks.load.test_theta_sweep import Server
from tests.benchmarks.pages.html_page import Page

EVIL = "<script>alert(1)</script>"


def test_runs_have_figures_plots_and_errors() -> None:
    evil = run_of(
        [row(), failed(ErrorKind.HTTP_5XX)], 1, messages={"http_5xx": EVIL}, notes=(EVIL,)
    )
    text = report(bench_of(some(0), evil))
    Page(text)
    assert EVIL not in text
    assert "http_5xx" in text
    assert all(figure.label in text for figure in FIGURES)
    assert text.count("<svg") == 3
    assert "http://www.w3.org" not in text


def test_one_run_alone_and_one_without_any_answer() -> None:
    Page(report(bench_of(some(0))))
    Page(report(bench_of(run_of([failed(ErrorKind.CONNECT)]))))
    with pytest.raises(ValueError, match="at least one run"):
        report(bench_of())


@pytest.mark.parametrize("price", [Decimal(2), None])
def test_a_sweep_shows_cost_or_goodput_by_utilization(price: Decimal | None) -> None:
    bench = Bench(setting(price), Traffic("poisson", 1.0), {})
    bench.sweep = Sweep(1, 0.99, price)
    Sweeper(bench.sweep, Server(20.0).attempt).find(4.0, 2)
    bench.runs = [point.run for point in bench.sweep.points]
    text = report(bench)
    Page(text)
    assert "Theta is" in text
    assert ("Cost by utilization</h3>" in text) == (price is not None)
    assert ("Goodput by utilization</h3>" in text) == (price is None)


def test_a_sweep_without_a_theta_says_why() -> None:
    bench = Bench(setting(), Traffic("poisson", 1.0), {})
    bench.sweep = Sweep(1, 0.99)
    Sweeper(bench.sweep, Server(0.0).attempt).find(4.0, 1)
    bench.runs = [replace(point.run) for point in bench.sweep.points]
    assert "No theta: every rate" in report(bench)
