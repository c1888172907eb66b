from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.learned.prefix_trust import HIT_TOKENS_MAX, LAG_REPORTS, WINDOW_TOKENS, PrefixTrust

TOKENS = st.integers(0, 3 * WINDOW_TOKENS)


def reported(trust: PrefixTrust, share: float, reports: int, total: int = 0) -> int:
    """One request of half a window per report, of which ``share`` hits. The new total."""
    for _ in range(reports):
        trust.on_sent(WINDOW_TOKENS // 2)
        total += round(share * WINDOW_TOKENS / 2)
        assert trust.on_report(total)
    return total


def told(total: int = 0) -> PrefixTrust:
    trust = PrefixTrust()
    assert trust.on_report(total)
    return trust


def test_without_any_report_it_believes() -> None:
    trust = PrefixTrust()
    trust.on_sent(100 * WINDOW_TOKENS)
    assert trust.factor == 1.0


def test_an_engine_without_a_prefix_cache_soon_counts_for_nothing() -> None:
    trust = told()
    reported(trust, 0.0, LAG_REPORTS + 30)
    assert trust.factor < 0.02


def test_half_of_the_hits_give_half_the_trust() -> None:
    trust = told()
    reported(trust, 0.5, 200)
    assert trust.factor == pytest.approx(0.5, abs=0.01)


def test_trust_comes_back() -> None:
    trust = told()
    total = reported(trust, 0.0, 100)
    reported(trust, 1.0, 100, total)
    assert trust.factor > 0.98


@given(st.lists(st.tuples(TOKENS, st.integers(0, LAG_REPORTS)), min_size=60, max_size=90))
def test_hits_that_come_late_but_come_cost_no_trust(sent: list[tuple[int, int]]) -> None:
    trust = told()
    hits = [0] * (len(sent) + LAG_REPORTS)
    total = 0
    for report, (tokens, lag) in enumerate(sent):
        trust.on_sent(tokens)
        hits[report + lag] += tokens
        total += hits[report]
        trust.on_report(total)
        assert trust.factor == 1.0


def test_hits_of_a_burst_wait_for_their_predictions() -> None:
    trust = told()
    total = reported(trust, 1.0, 20)
    for _ in range(2 * LAG_REPORTS):
        trust.on_report(total)
    assert (trust.factor, trust._predicted, trust._hit) == (1.0, 0, 0)


def test_hits_that_nobody_predicted_do_not_cover_later_misses() -> None:
    plain, foreign = told(), told()
    foreign.on_report(1_000 * WINDOW_TOKENS)
    reported(plain, 0.0, 60)
    reported(foreign, 0.0, 60, 1_000 * WINDOW_TOKENS)
    assert foreign.factor == plain.factor < 0.1


def test_what_the_engine_had_hit_before_is_no_evidence() -> None:
    trust = told(1_000 * WINDOW_TOKENS)
    reported(trust, 0.0, LAG_REPORTS + 30, 1_000 * WINDOW_TOKENS)
    assert trust.factor < 0.02


def test_a_total_that_starts_again_is_no_miss() -> None:
    trust = told()
    reported(trust, 1.0, 40)
    reported(trust, 1.0, 100)
    assert trust.factor == 1.0


@pytest.mark.parametrize("absurd", [-1, nan, inf, -inf, HIT_TOKENS_MAX + 1])
def test_an_absurd_total_is_left_aside(absurd: int) -> None:
    trust = told()
    total = reported(trust, 1.0, 40)
    assert not trust.on_report(absurd)
    reported(trust, 1.0, 40, total)
    assert trust.factor == 1.0


@given(st.lists(st.tuples(TOKENS, st.integers(-10, 2**40)), min_size=60, max_size=90))
def test_it_stays_a_share_and_small(events: list[tuple[int, int]]) -> None:
    trust = PrefixTrust()
    for hit_tokens, total in events:
        trust.on_sent(hit_tokens)
        trust.on_report(total)
        assert 0.0 <= trust.factor <= 1.0
        assert len(trust._lagging) <= LAG_REPORTS
        parts = trust._in_window + sum(trust._lagging) + trust._since_report
        assert trust._predicted == parts
        assert 0 <= trust._hit <= trust._predicted
