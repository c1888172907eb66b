"""What Baseload adds to the engines: the same ones, asked directly and through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.rig.comparison import METRICS


def section(result: Result) -> Section:
    document = result.document
    shapes = _shapes(document["gateway_alone"])
    return section_of("overhead", result=result, document=document, metrics=METRICS, shapes=shapes)


def _shapes(cells: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], float, float]]:
    """Each shape of an answer once, with its chunks/s and CPU µs per chunk: the median of its
    rounds."""
    rounds: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        rounds.setdefault(tuple(cell["shape"].values()), []).append(cell)
    return [
        (
            of[0]["shape"],
            median(each["measured"]["chunks_s"] for each in of),
            median(
                1e6 * each["measured"]["cpu_s"]["gateway"] / each["measured"]["chunks"]
                for each in of
            ),
        )
        for of in rounds.values()
    ]
