from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.peers.side_by_side import (
    DIRECT,
    FIGURES,
    Group,
    Sample,
    Way,
    in_turn,
    row_of,
    take_turns,
)
from benchmarks.rig.closed_loop import Measured
from benchmarks.rig.common import BenchmarkError, Target
from tests.benchmarks.rig.test_comparison import CELL

TARGET = Target("http://127.0.0.1:1/v1", "unused")


def way(name: str) -> Way:
    return Way(name, (TARGET,))


def group(*names: str) -> Group:
    return Group("engines", way(DIRECT), [way(name) for name in names])


class Machine:
    """It gets slower from cell to cell; a gateway gives half of what there is."""

    def __init__(self, broken: frozenset[str] = frozenset()) -> None:
        self.played: list[str] = []
        self._speed = 1_000.0
        self._broken = broken

    def play(self, way: Way, concurrency: int) -> Measured:
        self.played.append(way.name)
        if way.name in self._broken:
            raise BenchmarkError("no whole answer")
        self._speed -= 10.0
        speed = self._speed if way.name == DIRECT else self._speed / 2
        return replace(CELL, concurrency=concurrency, chunks_s=speed)


def test_every_way_stands_between_two_direct_cells() -> None:
    machine = Machine()
    samples, failures = take_turns(group("a", "b"), 8, 0, machine.play)
    assert machine.played == [DIRECT, "a", DIRECT, "b", DIRECT]
    assert [each.way for each in samples] == ["a", "b"]
    assert failures == {}
    for each in samples:  # linear drift is in both sides
        beside, through = each.pair("chunks_s")
        assert through / beside == pytest.approx(0.5)
        assert each.chunk_share == through / beside


def test_order_is_turned_round() -> None:
    samples, _ = take_turns(group("a", "b"), 8, 1, Machine().play)
    assert [each.way for each in samples] == ["b", "a"]
    assert [in_turn("abc", number) for number in range(3)] == [[*"abc"], [*"cba"], [*"abc"]]


def test_a_way_that_fails_is_named_and_leaves_the_others() -> None:
    machine = Machine(frozenset({"a"}))
    samples, failures = take_turns(group("a", "b"), 8, 0, machine.play)
    assert failures == {"a": "no whole answer"}
    assert [each.way for each in samples] == ["b"]


def test_without_direct_there_is_no_round() -> None:
    with pytest.raises(BenchmarkError):
        take_turns(group("a"), 8, 0, Machine(frozenset({DIRECT})).play)


def sample(direct: float, through: float, cpu_s: float = 0.02, errors: int = 0) -> Sample:
    cell = replace(CELL, chunks_s=direct)
    cpu = {"gateway 1": cpu_s, "gateway 2": cpu_s}
    asked = replace(CELL, chunks_s=through, cpu_s=cpu, errors=errors)
    if errors:
        asked = replace(asked, first_error="500")
    return Sample("a", cell, asked, cell)


def test_row_has_the_median_ratio_and_all_cpu_of_the_gateway() -> None:
    row = row_of([sample(100, 50), sample(100, 80, errors=2), sample(10, 6)])
    assert (row.way, row.concurrency, row.samples) == ("a", CELL.concurrency, 3)
    assert set(row.figures) == set(FIGURES)
    speed = row.figures["chunks_s"]
    assert (speed.ratio_min, speed.ratio, speed.ratio_max) == pytest.approx((0.5, 0.6, 0.8))
    assert row.cpu_us_per_chunk == pytest.approx(0.04 * 1e6 / CELL.chunks)
    assert (row.errors, row.first_error) == (2, "500")
