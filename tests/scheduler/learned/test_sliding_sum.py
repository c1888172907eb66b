from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler.learned.sliding_sum import SLOTS, SlidingSum

SPAN_S = 60.0
STEPS = st.lists(st.tuples(st.floats(0, 40), st.integers(0, 1_000)), max_size=60)


@given(STEPS, st.floats(0, 1e6), st.sampled_from([60.0, 3_600.0, 7.3]))
def test_never_less_than_the_true_sum_nor_more_than_of_a_slot_longer(
    steps: list[tuple[float, int]], start: float, span_s: float
) -> None:
    total, now, amounts = SlidingSum(span_s), start, list[tuple[float, int]]()
    slot_s = span_s / SLOTS
    for seconds, amount in steps:
        now += seconds
        total.add(amount, now)
        amounts.append((now, amount))
        total.forget(now)
        least = sum(amount for at, amount in amounts if at > now - span_s)
        most = sum(amount for at, amount in amounts if at >= now - span_s - 1.001 * slot_s)
        assert least <= total.total <= most


@given(STEPS, st.data())
def test_corrected_amounts_count_as_corrected(
    steps: list[tuple[float, int]], data: st.DataObject
) -> None:
    total, now = SlidingSum(SPAN_S), 0.0
    amounts: list[list[float]] = []  # at, slot, amount
    for seconds, amount in steps:
        now += seconds
        amounts.append([now, total.add(amount, now), amount])
        one = data.draw(st.sampled_from(amounts))
        change = data.draw(st.integers(-int(one[2]), 500))
        total.correct(int(one[1]), change)
        one[2] += change
        assert total.total >= sum(amount for at, _, amount in amounts if at > now - SPAN_S)
    total.forget(now + 2 * SPAN_S)
    assert total.total == 0


def test_a_correction_that_comes_too_late_is_left_aside() -> None:
    total = SlidingSum(SPAN_S)
    slot = total.add(100, 0.0)
    total.add(7, 100.0)
    total.correct(slot, -100)
    assert total.total == 7


def test_a_clock_that_stands_back_a_little_loses_nothing() -> None:
    total = SlidingSum(SPAN_S)
    assert total.add(1, 100.0) == total.add(2, 99.0)
    assert total.total == 3


def test_memory_is_bounded() -> None:
    total = SlidingSum(SPAN_S)
    for n in range(10_000):
        total.add(1, n * 0.1)
        assert len(total._slots) <= SLOTS + 1


@given(STEPS, st.integers(0, 5_000), st.sampled_from([60.0, 7.3]))
def test_when_it_will_have_fallen_is_known(
    steps: list[tuple[float, int]], most: int, span_s: float
) -> None:
    total, now = SlidingSum(span_s), 0.0
    for seconds, amount in steps:
        now += seconds
        total.add(amount, now)
    wait_s = total.falls_to(most, now)
    assert 0 <= wait_s <= span_s * (1 + 1 / SLOTS) + 1e-6
    was = total.total
    if wait_s > 1e-3:
        total.forget(now + wait_s - 1e-4)
        assert total.total > most
    total.forget(now + wait_s + 1e-4)
    assert total.total <= most
    assert (wait_s == 0) == (was <= most)
