"""Theta and the cost of a token by utilization, as ``baseload bench`` measured them."""

from __future__ import annotations

from pathlib import PurePath

from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.load.figures import FIGURES
from benchmarks.load.plots import cost_by_utilization


def section(result: Result) -> Section:
    document = result.document
    has_theta = "curve" in document and document["theta"] is not None
    name = PurePath(result.name).stem
    plots = {name: cost_by_utilization(document["curve"])} if has_theta else {}
    return section_of("bench", plots, result=result, document=document, figures=FIGURES)
