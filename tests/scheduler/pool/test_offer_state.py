from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.settings import Settings, SpillSettings
from tests.scheduler.given import arrival, offer_state, price

SETTINGS = Settings(spill=SpillSettings(offer_ttft_ms_assumed=700))


def test_the_price_of_a_request() -> None:
    state = offer_state(at=price(input_pico=1_000_000, output_pico=4_000_000))
    assert state.cost_nano(arrival(prompt=10), 5) == 10_000 + 20_000
    assert offer_state(at=None).cost_nano(arrival(), 5) is None


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


def test_an_end_that_is_told_twice_is_one() -> None:
    state = offer_state()
    state.add(arrival(), 0.0)
    state.remove("q1")
    state.remove("q1")
    assert not state.requests
