"""What the table says of a model, and how sure it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.routing import quality_table
from scheduler.routing.quality_table import RESULTS_MIN, QualityTable

SCORES = st.floats(0, 1)


def test_nothing_known_is_the_middle_and_anything_is_possible() -> None:
    found = QualityTable().quality("m", "code")
    assert found.mean == 0.5
    assert found.lower < 0.3 < 0.7 < found.upper
    assert found.observations == 0


def test_what_was_published_is_believed_until_results_speak_against_it() -> None:
    table = QualityTable()
    table.publish({("m", "code"): 0.92})
    assert table.quality("m", "code").mean == pytest.approx(0.92)
    assert not table.quality("m", "code").is_below(0.91)
    for _ in range(10):
        table.observe("m", "code", "en", 0.5)
    assert not table.quality("m", "code", "en").is_below(0.91 - 0.2)
    for _ in range(200):
        table.observe("m", "code", "en", 0.5)
    assert table.quality("m", "code", "en").is_below(0.91)


def test_it_comes_back_by_better_results_or_by_time() -> None:
    table = QualityTable()
    table.publish({("m", "code"): 0.92})
    table.observe("m", "code", "en", 0.5, count=200)
    assert table.quality("m", "code", "en").is_below(0.9)
    table.fade(0.001)
    assert not table.quality("m", "code", "en").is_below(0.9)
    table.observe("m", "code", "en", 0.5, count=50)
    assert table.quality("m", "code", "en").is_below(0.9)
    table.observe("m", "code", "en", 0.97, count=2_000)
    assert not table.quality("m", "code", "en").is_below(0.9)


def test_a_published_score_below_the_floor_is_below_until_results_say_otherwise() -> None:
    table = QualityTable()
    table.publish({("m", "code"): 0.85})
    assert table.quality("m", "code").is_below(0.86)
    assert not table.quality("m", "code").is_below(0.85)
    table.observe("m", "code", "en", 1.0, count=RESULTS_MIN)
    assert table.quality("m", "code", "en").is_below(0.86)  # that may have been luck
    table.observe("m", "code", "en", 1.0, count=500)
    assert not table.quality("m", "code", "en").is_below(0.86)


def test_of_a_model_that_nobody_measured_nothing_bad_is_known() -> None:
    table = QualityTable()
    assert not table.quality("m", "code").is_below(0.99)
    table.observe("m", "code", "en", 0.0, count=RESULTS_MIN - 1)
    assert not table.quality("m", "code", "en").is_below(0.99)
    table.observe("m", "code", "en", 0.0)
    assert table.quality("m", "code", "en").is_below(0.99)


def test_scores_of_an_earlier_configuration_are_gone() -> None:
    table = QualityTable()
    table.publish({("m", "code"): 0.92})
    table.publish({("m", ""): 0.5})
    assert table.quality("m", "code").published == 0.5


def test_a_task_that_nobody_saw_is_as_good_as_the_model_is_elsewhere() -> None:
    table = QualityTable()
    table.observe("m", "code", "en", 0.9, count=1_000)
    assert table.quality("m", "law", "vi").mean == pytest.approx(0.9, abs=0.01)
    assert table.quality("other", "law", "vi").mean == 0.5


def test_a_score_out_of_bounds_is_refused() -> None:
    for score in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 1"):
            QualityTable().observe("m", "code", "en", score)
        with pytest.raises(ValueError, match="from 0 to 1"):
            QualityTable().publish({("m", ""): score})


def test_a_full_table_learns_only_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_table, "CELLS_MAX", 3)
    table = QualityTable()
    assert table.observe("m", "code", "en", 1.0)
    assert not table.observe("m", "code", "zh", 1.0)
    assert table.observe("m", "code", "en", 1.0)
    assert table.quality("m", "code", "en").observations == 2


@given(st.lists(SCORES, max_size=50), SCORES)
def test_the_mean_lies_within_its_bounds(scores: list[float], published: float) -> None:
    table = QualityTable()
    table.publish({("m", ""): published})
    for score in scores:
        table.observe("m", "t", "en", score)
    found = table.quality("m", "t", "en")
    assert 0 <= found.lower <= found.mean <= found.upper <= 1


@given(SCORES, st.integers(1, 1_000))
def test_more_of_the_same_makes_surer(score: float, count: int) -> None:
    table = QualityTable()
    table.observe("m", "t", "en", score, count=count)
    before = table.quality("m", "t", "en")
    table.observe("m", "t", "en", score, count=1_000 * count)
    after = table.quality("m", "t", "en")
    assert abs(after.mean - score) <= abs(before.mean - score) + 1e-9
    assert after.upper - after.lower <= before.upper - before.lower + 1e-9
