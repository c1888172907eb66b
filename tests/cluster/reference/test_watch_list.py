"""The queries ask for series, labels and values that exist."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from cluster.reference.metrics_page import Series, exported_series, page
from cluster.reference.watch_list import WATCH, Watch
from runtime.targets.connection_faults import Fault
from scheduler.decision import Outcome, Reason


def names_in_queries(series: Series) -> tuple[str, ...]:
    if series.kind != "histogram":
        return (series.name,)
    return tuple(f"{series.name}_{part}" for part in ("bucket", "sum", "count"))


LABELS = {name: set(each.labels) for each in exported_series() for name in names_in_queries(each)}
BUCKET = {"le"}
VALUES: dict[str, set[str]] = {
    "reason": set(Reason),
    "outcome": set(Outcome),
    "place": {"local", "offer"},
    "unit": {"requests", "tokens"},
}
SELECTOR = re.compile(r"(baseload_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")


def known(name: str, label: str) -> set[str]:
    causes: type[StrEnum] = Fault if name == "baseload_connection_faults" else Outcome
    return set(causes) if label == "cause" else VALUES[label]


@pytest.mark.parametrize("watch", WATCH, ids=lambda each: each.what)
def test_a_query_asks_for_what_is_exported(watch: Watch) -> None:
    selectors = SELECTOR.findall(watch.query)
    assert selectors
    for name, matchers in selectors:
        assert name in LABELS
        for label, how, wanted in MATCHER.findall(matchers):
            assert label in LABELS[name]
            for each in wanted.split("|") if how == "=~" else [re.escape(wanted)]:
                assert any(re.fullmatch(each, value) for value in known(name, label)), each


@pytest.mark.parametrize("watch", WATCH, ids=lambda each: each.what)
def test_a_query_groups_by_labels_that_are_there(watch: Watch) -> None:
    labels = set.union(*(LABELS[name] for name, _ in SELECTOR.findall(watch.query))) | BUCKET
    grouped = {label for group in GROUPED.findall(watch.query) for label in group.split(", ")}
    assert grouped <= labels
    assert watch.query.count("(") == watch.query.count(")")


def test_every_query_is_on_the_page_as_it_is_typed() -> None:
    text = page()
    assert [each.what for each in WATCH if f"```promql\n{each.query}\n```" not in text] == []
