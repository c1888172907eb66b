from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.breaker import Breaker, BreakerState
from scheduler.decision import Outcome
from scheduler.settings import Settings

SETTINGS = Settings(breaker_failures=3, breaker_open_ms=1_000, breaker_open_ms_max=3_000)
FAILED, OK = Outcome.TARGET_FAILED, Outcome.OK


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    assert [breaker.on_end("r", FAILED, SETTINGS, now) for _ in range(3)] == [False, False, True]
    return breaker


def test_opens_after_consecutive_failures_only() -> None:
    breaker = Breaker()
    for outcome in (FAILED, FAILED, OK, FAILED, FAILED):
        breaker.on_end("r", outcome, SETTINGS, 0.0)
    assert breaker.state(0.0) is BreakerState.CLOSED
    breaker.on_end("r", FAILED, SETTINGS, 0.0)
    assert breaker.state(0.0) is BreakerState.OPEN
    assert not breaker.allows(0.999)


def test_half_open_allows_one_probe_and_its_success_closes() -> None:
    breaker = opened()
    assert breaker.state(1.0) is BreakerState.HALF_OPEN
    assert breaker.allows(1.0)
    breaker.on_start("probe")
    assert not breaker.allows(1.0)
    breaker.on_end("probe", OK, SETTINGS, 1.5)
    assert breaker.state(1.5) is BreakerState.CLOSED
    assert breaker.allows(1.5)


def test_failed_probes_double_the_time_up_to_the_cap() -> None:
    breaker, now, open_s = opened(), 0.0, []
    for wait_s in (1.0, 2.0, 3.0, 3.0):
        assert not breaker.allows(now + wait_s - 0.001)
        now += wait_s
        assert breaker.allows(now)
        breaker.on_start("probe")
        assert breaker.on_end("probe", FAILED, SETTINGS, now)
        open_s.append(wait_s)
    breaker.on_start("probe")
    breaker.on_end("probe", OK, SETTINGS, now + 3)
    for _ in range(3):
        breaker.on_end("r", FAILED, SETTINGS, now + 3)
    assert breaker.allows(now + 4)  # closing forgets how often it had opened


def test_requests_already_under_way_do_not_move_an_open_breaker() -> None:
    breaker = opened()
    assert not breaker.on_end("old", FAILED, SETTINGS, 0.5)
    assert not breaker.on_end("old", OK, SETTINGS, 0.5)
    assert breaker.state(0.5) is BreakerState.OPEN
    assert breaker.allows(1.0)


@pytest.mark.parametrize("outcome", [Outcome.CLIENT_LEFT, Outcome.CLIENT_ERROR])
def test_a_probe_that_the_client_ended_says_nothing(outcome: Outcome) -> None:
    breaker = opened()
    breaker.on_start("probe")
    assert not breaker.on_end("probe", outcome, SETTINGS, 1.0)
    assert breaker.state(1.0) is BreakerState.HALF_OPEN
    assert breaker.allows(1.0)


@given(st.lists(st.sampled_from([Outcome.CLIENT_LEFT, Outcome.CLIENT_ERROR]), max_size=20))
def test_clients_never_open_it(outcomes: list[Outcome]) -> None:
    breaker = Breaker()
    for outcome in outcomes:
        assert not breaker.on_end("r", outcome, SETTINGS, 0.0)
    assert breaker.state(0.0) is BreakerState.CLOSED


@given(st.lists(st.sampled_from(Outcome), max_size=60), st.floats(0.01, 5))
def test_it_is_never_open_longer_than_the_cap(outcomes: list[Outcome], step_s: float) -> None:
    breaker, now = Breaker(), 0.0
    for n, outcome in enumerate(outcomes):
        if breaker.allows(now):
            breaker.on_start(str(n))
        breaker.on_end(str(n), outcome, SETTINGS, now)
        assert breaker.allows(now + SETTINGS.breaker_open_ms_max / 1000)
        now += step_s
