"""The pages: well formed, alone in the world, and with the figures that matter on them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from benchmarks.economics.anchors import anchors
from benchmarks.economics.claims import findings
from benchmarks.economics.demand import flat
from benchmarks.economics.format_figures import figure
from benchmarks.economics.plots import LOOKS, bill_by_volume, tornado_bars, utilization_bars
from benchmarks.economics.report import claims_page, report
from benchmarks.economics.study import APIS_MAX, Study, study
from tests.benchmarks.economics.example import api, cluster, question
from tests.benchmarks.pages.html_page import Page

EVIL = "<script>alert(1)</script>"
ORIGIN = {"date": "2026-02-03", "machine": "a <fast> CPU"}


@pytest.fixture(scope="module")
def found() -> Study:
    prices = (api("0.28", "0.42"), api("1.25", "10"), api("0.01", "0.02"))
    return study(question(*prices, own=cluster(cards=16)))


def test_the_page_is_well_formed_and_alone(found: Study) -> None:
    text = report(found, ORIGIN)
    page = Page(text)
    assert page.tags.count("svg") == page.tags.count("figcaption") == 2 + len(found.answers)
    assert not {"script", "link", "img", "iframe", "object", "metadata"} & set(page.tags)
    assert "://" not in text
    assert len(page.ids) == len(set(page.ids))
    assert {use.removeprefix("#") for use in page.uses} <= set(page.ids)


def test_the_page_has_the_answer_and_its_inputs(found: Study) -> None:
    text = Page(report(found, ORIGIN)).text
    for part in ("Breaks even with given 0.28/0.42", "52.9 %", "Never cheaper", "2026-02-03"):
        assert part in text
    assert "a <fast> CPU" in text
    assert "0.28 in, 0.42 out, cached none" in text


def test_names_from_outside_are_escaped(found: Study) -> None:
    asked = found.question
    price = replace(asked.prices[0], price_id=EVIL, source=EVIL)
    demand = replace(asked.demand, name=EVIL, damage=EVIL)
    text = report(study(replace(asked, prices=(price,), demand=demand)), ORIGIN)
    assert "<script" not in text
    assert EVIL in Page(text).text


def test_the_same_study_gives_the_same_page() -> None:
    small = study(question(own=cluster(cards=8), demand=flat()))
    assert report(small, ORIGIN) == report(small, ORIGIN)


def test_each_api_has_a_line_of_its_own(found: Study) -> None:
    svg = bill_by_volume(found).svg
    for answer in found.answers:
        assert f">all at {answer.price.price_id}<" in svg
        assert f">hybrid with {answer.price.price_id}<" in svg
    assert len(set(LOOKS)) == len({colour for colour, _ in LOOKS}) == APIS_MAX


def test_the_plots_say_the_verdicts(found: Study) -> None:
    svg = utilization_bars(found).svg
    assert ">53 %, breaks even<" in svg
    assert ", never<" in svg
    tornado = tornado_bars(found.answers[0])
    assert "API price factor" in tornado.svg
    assert "(53 %)" in tornado.caption


def test_a_flat_demand_on_one_card_has_a_page() -> None:
    small = question(own=cluster(cards=1, per_replica=1), demand=flat())
    assert Page(report(study(small), ORIGIN)).tags.count("svg") == 3


def test_the_claims_page() -> None:
    text = claims_page(findings(), anchors(), ORIGIN)
    page = Page(text)
    assert "://" not in text
    for part in ("holds if", "does not hold", "$47,220", "730 · N · C / V", "Kimi K2"):
        assert part in page.text
    assert "NO" not in page.text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("47220", "47,220"),
        ("0.51828", "0.5183"),
        ("94.666", "94.67"),
        ("0", "0"),
        ("1E+3", "1,000"),
    ],
)
def test_figures_have_four_digits(value: str, shown: str) -> None:
    assert figure(Decimal(value)) == shown
