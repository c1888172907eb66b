"""The page of a run: well formed, alone in the world, and safe against what names hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.pages.drawing import numbered
from benchmarks.simulation.baselines import POLICY_NAMES
from benchmarks.simulation.experiment import Experiment
from benchmarks.simulation.figures import FIGURES
from benchmarks.simulation.offer_text import parse_offer
from benchmarks.simulation.plots import (
    POLICY_LOOKS,
    REASON_COLOURS,
    over_time,
    spend_by_load,
)
from benchmarks.simulation.report import COLUMNS_MAX, report
from benchmarks.simulation.series import Series
from benchmarks.simulation.sweep import Trial, sweep
from scheduler.decision import Reason
from tests.benchmarks.pages.html_page import Page

EVIL = "<script>alert(1)</script>&amp;.csv"
ORIGIN = {"date": "2026-02-03", "machine": "a <fast> CPU", "baseload": "0.1.0"}


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    return sweep(
        Experiment(requests=300, replicas=1),
        [0.9, 2.0],
        ["bid-price", "first-come", "never-spill"],
        with_bound=False,
    )


@pytest.mark.parametrize("count", [1, COLUMNS_MAX, 6])
def test_a_page_is_well_formed_and_alone(trials: list[Trial], count: int) -> None:
    text = report(trials[:count], ORIGIN)
    page = Page(text)
    loads = {trial.experiment.load for trial in trials[:count]}
    assert page.tags.count("svg") == page.tags.count("figcaption") == 2 + len(loads)
    assert not {"script", "link", "img", "iframe", "object", "metadata"} & set(page.tags)
    assert "http" not in text
    assert "://" not in text
    assert "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    assert {use.removeprefix("#") for use in page.uses} <= set(page.ids)
    assert "prefers-color-scheme: dark" in text
    for figure in FIGURES:
        assert figure.label in page.text
        assert figure.of(trials[0].outcome) in page.text


def test_a_page_says_what_was_run(trials: list[Trial]) -> None:
    text = Page(report(trials[2:4], ORIGIN)).text
    for part in ("0.9, 2", "never-spill, bid-price", "2026-02-03", "a <fast> CPU"):
        assert part in text
    assert "2.3 out (USD per M tokens)" in text
    assert "3 offers, 30 times apart; each request may be bought from one of them only" in text
    assert "Warning" not in text


def test_a_page_warns_of_offers_that_come_too_late(trials: list[Trial]) -> None:
    late = replace(trials[0], experiment=replace(trials[0].experiment, ttft_ms=500))
    assert "Warning: no offer answers within the TTFT budget" in Page(report([late], ORIGIN)).text


def test_names_from_outside_are_escaped(trials: list[Trial]) -> None:
    offer = parse_offer("out=1,id=<img>")
    experiment = replace(
        trials[0].experiment, trace=Path(EVIL), arrivals=None, profile="<b>", offers=(offer,)
    )
    text = report([replace(trials[0], experiment=experiment)], ORIGIN)
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text
    assert EVIL.partition("/")[0] in Page(text).text


def test_the_bound_is_drawn_where_there_is_one(trials: list[Trial]) -> None:
    def bounded(trial: Trial) -> Trial:
        return replace(trial, outcome=replace(trial.outcome, bound_usd=0.0123))

    assert "0.0123 USD" not in report(trials[:1], ORIGIN)
    assert "0.0123 USD" in report([bounded(trials[0])], ORIGIN)
    assert ">bound<" in spend_by_load([bounded(trial) for trial in trials]).svg
    assert ">bound<" not in spend_by_load(trials).svg


def test_the_same_trials_give_the_same_page(trials: list[Trial]) -> None:
    assert report(trials[:1], ORIGIN) == report(trials[:1], ORIGIN)


def test_a_run_without_samples_has_a_plot(trials: list[Trial]) -> None:
    plot = over_time(replace(trials[0], series=Series()))
    assert plot.svg.startswith("<svg")
    assert plot.svg.endswith("</svg>")


def test_names_in_a_page_are_its_own() -> None:
    svg = '<svg><g id="a" clip-path="url(#c)"/><use href="#m"/></svg>'
    assert numbered(svg, 3) == (
        '<svg><g id="p3-a" clip-path="url(#p3-c)"/><use href="#p3-m"/></svg>'
    )


def test_every_policy_and_reason_has_a_look_of_its_own() -> None:
    assert set(POLICY_LOOKS) == set(POLICY_NAMES)
    assert len(set(POLICY_LOOKS.values())) == len(POLICY_NAMES)
    assert set(REASON_COLOURS) == set(Reason)
    assert len(set(REASON_COLOURS.values())) == len(Reason)


def test_nothing_makes_no_page() -> None:
    with pytest.raises(ValueError, match="at least one trial"):
        report([], ORIGIN)
