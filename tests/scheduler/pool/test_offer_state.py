from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.decision import Refusal
from scheduler.pool.offer_state import MINUTE_S
from scheduler.settings import Settings, SpillSettings
from tests.scheduler.given import arrival, offer_state, price

SETTINGS = Settings(spill=SpillSettings(offer_ttft_ms_assumed=700))


def test_the_price_of_a_request() -> None:
    state = offer_state(at=price(input_pico=1_000_000, output_pico=4_000_000))
    assert state.cost_nano(arrival(prompt=10), 5) == 10_000 + 20_000
    assert offer_state(at=None).cost_nano(arrival(), 5) is None


SENT = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 400)), max_size=120)


@given(SENT)
def test_the_limits_per_minute_are_never_passed(wishes: list[tuple[float, int]]) -> None:
    state, now, sent = offer_state(requests_per_min_max=7, tokens_per_min_max=900), 0.0, []
    for n, (seconds, prompt) in enumerate(wishes):
        now += seconds
        request = arrival(str(n), prompt=prompt, output_max=100)
        if state.refuse_rate(request, now) is None:
            state.add(request, now)
            sent.append((now, prompt + 100))
        minute = [tokens for at, tokens in sent if at > now - MINUTE_S]
        assert len(minute) <= 7
        assert sum(minute) <= 900


def test_which_limit_it_was_and_that_it_ends() -> None:
    state = offer_state(requests_per_min_max=2, tokens_per_min_max=500)
    state.add(arrival("q1", prompt=200, output_max=100), 10.0)
    assert state.refuse_rate(arrival(prompt=101, output_max=100), 10.0) is Refusal.RATE_TOKENS
    assert state.refuse_rate(arrival(prompt=100, output_max=100), 10.0) is None
    state.add(arrival("q2", prompt=100, output_max=100), 10.0)
    assert state.refuse_rate(arrival(), 69.9) is Refusal.RATE_REQUESTS
    assert state.refuse_rate(arrival(), 72.0) is None


def test_without_limits_there_are_none() -> None:
    state = offer_state()
    for n in range(1_000):
        state.add(arrival(str(n)), 0.0)
    assert state.refuse_rate(arrival(), 0.0) is None


def answered(*ttfts_s: float) -> float:
    """The estimate after these times to the first token."""
    state = offer_state()
    for n, ttft_s in enumerate(ttfts_s):
        state.add(arrival(str(n)), n * 10.0)
        state.progress(str(n), n * 10.0 + ttft_s)
        state.progress(str(n), n * 10.0 + 9.0)  # only the first token counts
        state.remove(str(n))
    return state.ttft_s(SETTINGS)


def test_the_time_to_the_first_token() -> None:
    assert answered() == 0.7
    assert answered(0.5) == pytest.approx(0.5 + 4 * 0.25)
    assert answered(0.5, 0.9) == pytest.approx(0.55 + 4 * (0.25 + (0.4 - 0.25) / 4))
    assert answered(*[0.5] * 60) == pytest.approx(0.5, abs=1e-3)


@given(st.lists(st.floats(0.2, 0.8), min_size=60, max_size=60))
def test_the_estimate_leaves_enough_time_mostly(ttfts_s: list[float]) -> None:
    assert min(ttfts_s) <= answered(*ttfts_s) <= 0.8 + 4 * 0.6


def test_whether_a_limit_still_counts_something() -> None:
    state = offer_state()
    assert not state.counts(0.0)
    state.add(arrival(), 0.0)
    state.remove("q1")
    assert state.counts(59.0)  # in its limits per minute
    state.add(arrival(), 60.0)
    assert state.counts(500.0)  # in flight
    state.remove("q1")
    assert not state.counts(500.0)


def test_an_end_that_is_told_twice_is_one() -> None:
    state = offer_state()
    state.add(arrival(), 0.0)
    state.remove("q1")
    state.remove("q1")
    assert not state.requests
