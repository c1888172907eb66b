"""Shares of a replica's time."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from runtime.replica_time_share import (
    HOUR_NS,
    ShareClock,
    replica_hour_nano,
    share_cost_nano,
    share_in_words,
)

STEPS = st.lists(st.tuples(st.integers(0, 10**9), st.booleans(), st.integers(0, 9)), max_size=60)


@given(STEPS)
def test_shares_add_up_to_the_busy_time_to_the_nanosecond(
    steps: list[tuple[int, bool, int]],
) -> None:
    clock, now, busy_ns, total_ns, most = ShareClock(), 5, 0, 0, 0
    running: list[tuple[int, int]] = []  # mark, start
    for elapsed_ns, starts, which in [*steps, *[(7, False, 0)] * 60]:
        now += elapsed_ns
        busy_ns += elapsed_ns if running else 0
        if starts:
            running.append((clock.start(now), now))
            most = max(most, len(running))
        elif running:
            mark, since = running.pop(which % len(running))
            share_ns = clock.stop(mark, now)
            assert 0 <= share_ns <= now - since + most
            total_ns += share_ns
    assert total_ns == busy_ns


@given(st.integers(1, 50), st.integers(0, 10**12))
def test_equal_requests_have_equal_shares(requests: int, elapsed_ns: int) -> None:
    clock = ShareClock()
    marks = [clock.start(3) for _ in range(requests)]
    shares = [clock.stop(mark, 3 + elapsed_ns) for mark in marks]
    equal_ns = elapsed_ns // requests
    assert equal_ns <= min(shares) <= max(shares) < equal_ns + requests


def test_a_clock_that_goes_back_gives_no_time_twice() -> None:
    clock = ShareClock()
    mark = clock.start(100)
    other = clock.start(50)
    assert clock.stop(other, 90) == 0
    assert clock.stop(mark, 130) == 30


def test_what_requests_of_a_dead_gateway_left_undivided_belongs_to_nobody() -> None:
    clock = ShareClock()
    for _ in range(4):
        clock.start(0)
    clock.start(3)  # three nanoseconds among four
    clock.in_flight = 0  # as whoever takes the dead off the books does
    assert clock.stop(clock.start(100), 101) == 1


def test_idle_time_belongs_to_nobody() -> None:
    clock = ShareClock()
    assert clock.stop(clock.start(1_000), 1_010) == 10
    assert clock.stop(clock.start(9_000), 9_001) == 1


@given(st.integers(0, 10**15), st.integers(0, 10**12), st.integers(1, 8))
def test_the_cost_is_exact_and_rounded_up_once(share_ns: int, hour_nano: int, cards: int) -> None:
    exact = Fraction(share_ns * hour_nano * cards, HOUR_NS)
    assert 0 <= share_cost_nano(share_ns, hour_nano, cards) - exact < 1


def test_an_hour_alone_costs_an_hour() -> None:
    assert share_cost_nano(HOUR_NS, 2_500_000_000, 4) == 10_000_000_000


@given(st.integers(0, 10**18), st.sampled_from(["cpu", "H20-3e", "8 x B at 1"]), st.integers(0, 99))
def test_the_words_of_a_cost_say_what_an_hour_of_the_replica_costs(
    share_ns: int, card: str, cards: int
) -> None:
    assert replica_hour_nano(share_in_words(share_ns, card, 2_500_000_000, cards)) == (
        2_500_000_000 * cards
    )


def test_other_words_say_nothing_of_an_hour() -> None:
    assert replica_hour_nano("price stand-in/tiny-moe@2026-01-01") is None
    assert replica_hour_nano("") is None
