from __future__ import annotations

import pytest

from scheduler.decision import Outcome, Refusal
from scheduler.pool.circuit_breaker import Breaker, BreakerState, OfferBreaker
from scheduler.settings import CircuitBreakerSettings

SETTINGS = CircuitBreakerSettings(
    failures=3,
    open_ms=1_000,
    open_ms_max=3_000,
    probe_ms_max=10_000,
    pause_ms=500,
    pause_ms_max=20_000,
)
FAILED, OK = Outcome.TARGET_FAILED, Outcome.OK
BUSY, LIMITED = Outcome.TARGET_BUSY, Outcome.RATE_LIMITED
CLOSED, OPEN = BreakerState.CLOSED, BreakerState.OPEN
PAUSED, HALF_OPEN = BreakerState.PAUSED, BreakerState.HALF_OPEN


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    told = [breaker.on_end("r", FAILED, SETTINGS, now) for _ in range(3)]
    assert told == [None, None, OPEN]
    return breaker


def probed(now: float = 1.0) -> Breaker:
    """Opened at 0, its probe sent."""
    breaker = opened()
    assert breaker.refuses(now) is None
    breaker.on_start("probe", SETTINGS, now)
    return breaker


@pytest.mark.parametrize("open_ms", [250, 2_000])
def test_it_opens_for_as_long_as_is_set(open_ms: int) -> None:
    breaker = Breaker()
    settings = CircuitBreakerSettings(failures=1, open_ms=open_ms)
    assert breaker.on_end("r", FAILED, settings, 0.0) is OPEN
    assert breaker.condition(0.0).left_s == open_ms / 1000


def test_opens_after_consecutive_failures_only() -> None:
    breaker = Breaker()
    for outcome in (FAILED, FAILED, OK, FAILED, FAILED):
        breaker.on_end("r", outcome, SETTINGS, 0.0)
    assert breaker.condition(0.0).state is CLOSED
    breaker.on_end("r", FAILED, SETTINGS, 0.0)
    condition = breaker.condition(0.25)
    assert (condition.state, condition.cause, condition.left_s) == (OPEN, FAILED, 0.75)
    assert breaker.refuses(0.999) is Refusal.BREAKER_OPEN


def test_half_open_allows_one_probe_and_its_success_closes() -> None:
    breaker = probed()
    assert breaker.condition(1.0).state is HALF_OPEN
    assert breaker.refuses(1.0) is Refusal.BREAKER_OPEN
    breaker.on_end("probe", OK, SETTINGS, 1.5)
    assert breaker.condition(1.5).state is CLOSED
    assert breaker.refuses(1.5) is None


def test_the_first_content_of_a_probe_closes_it_long_before_its_answer_ends() -> None:
    breaker = probed()
    breaker.on_first_token("probe")
    assert breaker.condition(1.1).state is CLOSED


def test_a_probe_that_fails_after_its_first_content_opens_it_again_for_twice_as_long() -> None:
    breaker = probed()
    breaker.on_first_token("probe")
    assert breaker.on_end("probe", FAILED, SETTINGS, 2.0) is OPEN
    assert breaker.condition(2.0).left_s == 2.0


def test_only_the_probe_itself_is_on_trial() -> None:
    breaker = probed()
    breaker.on_first_token("probe")
    assert breaker.on_end("other", FAILED, SETTINGS, 2.0) is None
    breaker.on_end("probe", OK, SETTINGS, 3.0)
    assert breaker.on_end("probe", FAILED, SETTINGS, 4.0) is None


def test_a_trial_is_over_when_others_open_it() -> None:
    breaker = probed()
    breaker.on_first_token("probe")
    for _ in range(3):
        breaker.on_end("r", FAILED, SETTINGS, 2.0)
    breaker.on_start("second", SETTINGS, 4.0)
    breaker.on_end("second", OK, SETTINGS, 4.0)
    assert breaker.on_end("probe", FAILED, SETTINGS, 5.0) is None


def test_first_contents_do_not_end_a_run_of_failures() -> None:
    breaker = Breaker()
    for n in range(3):
        breaker.on_start(str(n), SETTINGS, 0.0)
        breaker.on_first_token(str(n))
        breaker.on_end(str(n), FAILED, SETTINGS, 0.0)
    assert breaker.condition(0.0).state is OPEN


def test_failed_probes_double_the_time_up_to_the_cap() -> None:
    breaker, now = opened(), 0.0
    for wait_s in (1.0, 2.0, 3.0, 3.0):
        assert breaker.refuses(now + wait_s - 0.001)
        now += wait_s
        assert breaker.refuses(now) is None
        breaker.on_start("probe", SETTINGS, now)
        assert breaker.on_end("probe", FAILED, SETTINGS, now) is OPEN
    breaker.on_start("probe", SETTINGS, now + 3)
    breaker.on_end("probe", OK, SETTINGS, now + 3)
    for _ in range(3):
        breaker.on_end("r", FAILED, SETTINGS, now + 3)
    assert breaker.refuses(now + 4) is None  # closing forgets how often it had opened


def test_requests_already_under_way_do_not_move_an_open_breaker() -> None:
    breaker = opened()
    for outcome in (FAILED, OK, BUSY, Outcome.KEY_REFUSED):
        assert breaker.on_end("old", outcome, SETTINGS, 0.5) is None
    breaker.on_first_token("old")
    assert breaker.condition(0.5).state is OPEN
    assert breaker.refuses(1.0) is None


@pytest.mark.parametrize("outcome", [Outcome.CLIENT_LEFT, Outcome.CLIENT_ERROR])
def test_a_probe_that_the_client_ended_says_nothing(outcome: Outcome) -> None:
    breaker = probed()
    assert breaker.on_end("probe", outcome, SETTINGS, 1.0) is None
    assert breaker.condition(1.0).state is HALF_OPEN
    assert breaker.refuses(1.0) is None


def test_a_probe_that_hangs_holds_the_target_no_longer_than_its_lease() -> None:
    breaker = probed(1.0)
    assert breaker.refuses(10.999) is Refusal.BREAKER_OPEN
    assert breaker.refuses(11.0) is None
    breaker.on_start("second", SETTINGS, 11.0)
    assert breaker.refuses(20.999)
    breaker.on_end("probe", Outcome.CLIENT_LEFT, SETTINGS, 12.0)
    assert breaker.refuses(12.0)  # the lease is the second's
    breaker.on_end("second", Outcome.CLIENT_LEFT, SETTINGS, 13.0)
    assert breaker.refuses(13.0) is None


def test_a_late_first_content_closes_it_too() -> None:
    breaker = probed(1.0)
    breaker.on_start("second", SETTINGS, 11.0)
    breaker.on_first_token("probe")
    assert breaker.condition(12.0).state is CLOSED


def test_a_late_probe_says_nothing_once_the_next_has_failed() -> None:
    breaker = probed(1.0)
    breaker.on_start("second", SETTINGS, 11.0)
    breaker.on_end("second", FAILED, SETTINGS, 12.0)
    breaker.on_first_token("probe")
    assert breaker.on_end("probe", FAILED, SETTINGS, 12.5) is None
    assert breaker.condition(12.5).left_s == 1.5


@pytest.mark.parametrize(("told_s", "held_s"), [(7.0, 7.0), (0.0, 0.0), (9e9, 20.0), (-5.0, 0.0)])
@pytest.mark.parametrize("outcome", [BUSY, LIMITED])
def test_a_target_is_paused_for_as_long_as_it_says(
    outcome: Outcome, told_s: float, held_s: float
) -> None:
    breaker = Breaker()
    assert breaker.on_end("r", outcome, SETTINGS, 100.0, told_s) is PAUSED
    if held_s:
        condition = breaker.condition(100.0)
        assert (condition.state, condition.cause) == (PAUSED, outcome)
        assert condition.left_s == held_s
        assert breaker.refuses(100.0 + held_s - 0.001) is Refusal.PAUSED
    assert breaker.refuses(100.0 + held_s) is None
    breaker.on_start("probe", SETTINGS, 100.0 + held_s)
    assert breaker.refuses(100.0 + held_s) is Refusal.PAUSED


def test_a_pause_that_nobody_asked_for_grows_until_content_comes() -> None:
    breaker, now = Breaker(), 0.0
    for pause_s in (0.5, 1.0, 2.0, 3.0, 3.0):
        breaker.on_start("probe", SETTINGS, now)
        assert breaker.on_end("probe", LIMITED, SETTINGS, now) is PAUSED
        assert breaker.condition(now).left_s == pytest.approx(pause_s)
        now += pause_s
    breaker.on_start("probe", SETTINGS, now)
    breaker.on_first_token("probe")
    assert breaker.on_end("r", LIMITED, SETTINGS, now) is PAUSED
    assert breaker.condition(now).left_s == pytest.approx(0.5)


def test_pauses_are_no_failures() -> None:
    breaker, now = Breaker(), 0.0
    for n in range(10):
        breaker.on_start(str(n), SETTINGS, now)
        breaker.on_end(str(n), LIMITED, SETTINGS, now, 1.0)
        now += 1.0
    breaker.on_start("last", SETTINGS, now)
    breaker.on_end("last", OK, SETTINGS, now)
    assert breaker.on_end("r", FAILED, SETTINGS, now) is None
    assert breaker.condition(now).state is CLOSED


def test_what_many_requests_are_told_at_once_is_one_pause() -> None:
    breaker = Breaker()
    for _ in range(20):
        breaker.on_end("r", LIMITED, SETTINGS, 0.0)
    assert breaker.condition(0.0).left_s == 0.5
    breaker.on_end("r", LIMITED, SETTINGS, 0.0, 4.0)
    breaker.on_end("r", LIMITED, SETTINGS, 0.1, 1.0)
    assert breaker.condition(0.0).left_s == 4.0


def test_a_refused_key_opens_at_once_and_for_as_long_as_is_said() -> None:
    breaker = Breaker()
    assert breaker.on_end("r", Outcome.KEY_REFUSED, SETTINGS, 0.0) is OPEN
    assert breaker.condition(0.0).left_s == 1.0
    breaker.on_start("probe", SETTINGS, 1.0)
    breaker.on_end("probe", Outcome.KEY_REFUSED, SETTINGS, 1.0, 8.0)
    assert breaker.condition(1.0).left_s == 8.0


# One account, two offers


def pair() -> tuple[OfferBreaker, OfferBreaker]:
    account = Breaker()
    return OfferBreaker(account), OfferBreaker(account)


@pytest.mark.parametrize("outcome", [FAILED, BUSY, LIMITED])
def test_a_models_trouble_is_its_own(outcome: Outcome) -> None:
    a, b = pair()
    for _ in range(3):
        a.on_end("r", outcome, SETTINGS, 0.0)
    assert a.refuses(0.0)
    assert b.refuses(0.0) is None
    assert b.condition(0.0).state is CLOSED


def test_a_refused_key_is_everybodys() -> None:
    a, b = pair()
    assert a.on_end("r", Outcome.KEY_REFUSED, SETTINGS, 0.0) is OPEN
    for each in (a, b):
        assert each.refuses(0.5) is Refusal.BREAKER_OPEN
        assert each.condition(0.5).cause is Outcome.KEY_REFUSED
    b.on_start("probe", SETTINGS, 1.0)
    assert a.refuses(1.0)  # one probe for all of them
    b.on_first_token("probe")
    assert a.refuses(1.0) is b.refuses(1.0) is None


def test_a_refused_access_is_a_failure_of_both() -> None:
    a, b = pair()
    for _ in range(2):
        a.on_end("r", Outcome.ACCESS_REFUSED, SETTINGS, 0.0)
    b.on_end("r", OK, SETTINGS, 0.0)  # so it is not the account
    a.on_end("r", Outcome.ACCESS_REFUSED, SETTINGS, 0.0)
    assert a.refuses(0.0)
    assert b.refuses(0.0) is None
    for _ in range(2):
        b.on_end("r", Outcome.ACCESS_REFUSED, SETTINGS, 0.0)
    assert pair()[0].refuses(0.0) is None
    assert b.account.condition(0.0).state is OPEN


def test_a_probe_of_the_account_that_fails_otherwise_gives_it_back() -> None:
    a, b = pair()
    a.on_end("r", Outcome.KEY_REFUSED, SETTINGS, 0.0)
    a.on_start("probe", SETTINGS, 1.0)
    a.on_end("probe", FAILED, SETTINGS, 1.0)
    assert b.refuses(1.0) is None
    assert a.refuses(1.0) is None  # one failure of three


def test_a_trial_of_the_account_ends_with_its_attempt() -> None:
    a, b = pair()
    a.on_end("r", Outcome.KEY_REFUSED, SETTINGS, 0.0)
    a.on_start("q1", SETTINGS, 1.0)
    a.on_first_token("q1")
    a.on_end("q1", FAILED, SETTINGS, 1.0)
    b.on_start("q1", SETTINGS, 1.0)  # its second attempt
    assert b.on_end("q1", Outcome.ACCESS_REFUSED, SETTINGS, 1.0) is None


def test_of_two_conditions_the_longer_is_told() -> None:
    a, _ = pair()
    a.on_end("r", LIMITED, SETTINGS, 0.0, 5.0)
    a.on_end("r", Outcome.KEY_REFUSED, SETTINGS, 0.0)
    assert a.condition(0.0).cause is LIMITED
    a.account.on_start("probe", SETTINGS, 1.0)
    a.account.on_end("probe", Outcome.KEY_REFUSED, SETTINGS, 1.0, 9.0)
    assert a.condition(1.0).cause is Outcome.KEY_REFUSED
