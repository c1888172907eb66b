"""Limits of a tenant: never passed, refusals that leave nothing behind, honest waiting times."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import tenant_limits
from scheduler.learned.minute_counts import MINUTE_S
from scheduler.tenant_limits import Counted, Limit, LimitStanding, Over, TenantLimiter, TenantLimits

A = "acme"


@dataclass
class Known:
    """One request as the test counts it."""

    counted: Counted
    at: float
    tokens: int
    is_open: bool = True
    costs: bool = True


def entered(limiter: TenantLimiter, limits: TenantLimits, now: float) -> Counted:
    found = limiter.enter(A, limits, now)
    assert isinstance(found, Counted)
    return found


def over(limiter: TenantLimiter, limits: TenantLimits, now: float) -> Over:
    found = limiter.enter(A, limits, now)
    assert isinstance(found, Over)
    return found


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.integers(1, 60)),
        st.tuples(st.just("wait"), st.floats(0, 40)),
        st.tuples(st.sampled_from(["end", "refuse"]), st.integers(0, 90)),
    ),
    max_size=60,
)
LIMITS = st.builds(
    TenantLimits,
    st.none() | st.integers(1, 6),
    st.none() | st.integers(1, 150),
    st.none() | st.integers(1, 4),
)


@given(LIMITS, STEPS)
def test_no_limit_is_ever_passed_and_what_is_refused_costs_nothing(
    limits: TenantLimits, steps: list[tuple[str, float]]
) -> None:
    limiter, now, known = TenantLimiter(), 1_000.0, list[Known]()
    for what, amount in steps:
        if what == "wait":
            now += amount
        elif what == "come":
            before = limiter.standings(A, limits, now)
            found = limiter.enter(A, limits, now)
            refused: Over | None = found if isinstance(found, Over) else None
            if isinstance(found, Counted):
                refused = found.charge(int(amount), 0, now)
                if refused is None:
                    known.append(Known(found, now, int(amount)))
                else:
                    found.end(now)
            if refused is not None:
                assert limiter.standings(A, limits, now) == before
        elif running := [each for each in known if each.is_open]:
            one = running[0]
            one.is_open = False
            one.costs = what == "end"
            one.tokens = int(amount) if one.costs else 0
            if one.costs:
                one.counted.worked(0, int(amount))
            one.counted.end(now)
        _within(limits, known, now, limiter)
    for each in known:
        each.counted.end(now)
    later = limiter.standings(A, limits, now + 2 * MINUTE_S)
    assert all(each.left == each.most and each.reset_s == 0 for each in later.values())


def _within(limits: TenantLimits, known: list[Known], now: float, limiter: TenantLimiter) -> None:
    recent = [each for each in known if each.at > now - MINUTE_S]
    standings = limiter.standings(A, limits, now)
    if limits.in_flight_max is not None:
        assert sum(each.is_open for each in known) <= limits.in_flight_max
    if limits.requests_per_min_max is not None:
        taken = sum(each.costs for each in recent)
        assert taken <= limits.requests_per_min_max
        assert standings[Limit.REQUESTS].left <= limits.requests_per_min_max - taken
    if limits.tokens_per_min_max is not None:
        taken = sum(each.tokens for each in recent)
        left = standings[Limit.TOKENS].left
        assert left == 0 or left <= limits.tokens_per_min_max - taken


@given(st.integers(1, 5), st.integers(1, 90), st.lists(st.floats(0, 30), max_size=20))
def test_after_the_wait_that_was_told_there_is_room(
    requests_max: int, tokens: int, waits: list[float]
) -> None:
    limits, limiter, now = TenantLimits(requests_max, 100), TenantLimiter(), 500.0
    for seconds in [*waits, 0.0, 0.0]:
        now += seconds
        found = limiter.enter(A, limits, now)
        refused = found if isinstance(found, Over) else found.charge(tokens, 0, now)
        if isinstance(found, Counted):
            found.worked(tokens, 0) if refused is None else None
            found.end(now)
        if refused is None:
            continue
        assert refused.wait_s is not None
        assert 0 < refused.wait_s <= MINUTE_S + 1
        now += refused.wait_s + 1e-6
        at_last = entered(limiter, limits, now)
        if isinstance(found, Counted):  # it was its tokens
            assert at_last.charge(tokens, 0, now) is None
            at_last.worked(tokens, 0)
        at_last.end(now)


def test_requests_of_a_minute() -> None:
    limits, limiter = TenantLimits(requests_per_min_max=2), TenantLimiter()
    for at in (0.0, 10.0):
        one = entered(limiter, limits, at)
        one.worked(None, None)
        one.end(at)
    refused = over(limiter, limits, 20.0)
    assert refused == Over(Limit.REQUESTS, 41.0)
    assert limiter.standings(A, limits, 20.0) == {Limit.REQUESTS: LimitStanding(2, 0, 51.0)}
    assert over(limiter, limits, 60.9)
    assert entered(limiter, limits, 61.0)
    assert isinstance(limiter.enter("other", limits, 20.0), Counted)


def test_tokens_are_counted_by_estimate_and_corrected() -> None:
    limits, limiter = TenantLimits(tokens_per_min_max=100), TenantLimiter()
    one = entered(limiter, limits, 0.0)
    assert one.charge(60, 0, 0.0) is None
    two = entered(limiter, limits, 1.0)
    assert two.charge(20, 21, 1.0) == Over(Limit.TOKENS, 60.0)
    two.end(1.0)
    one.worked(20, 0)
    one.end(2.0)
    three = entered(limiter, limits, 3.0)
    assert three.charge(80, 0, 3.0) is None
    assert three.standings(3.0)[Limit.TOKENS].left == 0
    assert over(limiter, limits, 4.0).limit is Limit.TOKENS  # before its body is read


def test_what_no_minute_has_room_for_is_told_so() -> None:
    limits, limiter = TenantLimits(tokens_per_min_max=100), TenantLimiter()
    assert entered(limiter, limits, 0.0).charge(101, 0, 0.0) == Over(Limit.TOKENS, None, True)


def test_more_than_was_estimated_counts_also_after_its_minute() -> None:
    limits, limiter = TenantLimits(tokens_per_min_max=100), TenantLimiter()
    long, longer = entered(limiter, limits, 0.0), entered(limiter, limits, 0.0)
    assert long.charge(10, 0, 0.0) is None
    assert longer.charge(10, 0, 0.0) is None
    long.worked(70, 0)
    long.end(200.0)
    longer.worked(4, 0)  # of what was too much, nothing is given back: it is forgotten already
    longer.end(200.0)
    assert limiter.standings(A, limits, 200.0)[Limit.TOKENS].left == 40


def test_tokens_that_nobody_told_are_those_of_the_estimate() -> None:
    limits, limiter = TenantLimits(tokens_per_min_max=100), TenantLimiter()
    one = entered(limiter, limits, 0.0)
    one.charge(20, 10, 0.0)
    one.worked(None, None)
    one.worked(5, None)  # a second attempt
    one.worked(None, 1)
    one.end(1.0)
    one.end(1.0)
    assert limiter.standings(A, limits, 1.0)[Limit.TOKENS].left == 100 - 30 - 15 - 21


def test_places_in_flight() -> None:
    limits, limiter = TenantLimits(in_flight_max=1), TenantLimiter()
    one = entered(limiter, limits, 0.0)
    assert over(limiter, limits, 0.0) == Over(Limit.IN_FLIGHT)
    one.end(1.0)
    one.end(1.0)  # only once
    two = entered(limiter, limits, 1.0)
    assert over(limiter, limits, 1.0) == Over(Limit.IN_FLIGHT)
    two.end(1.0)


def test_idle_tenants_are_forgotten_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_limits, "TENANTS_KEPT_MAX", 2)
    limits, limiter = TenantLimits(in_flight_max=1), TenantLimiter()
    running = limiter.enter("running", limits, 0.0)
    idle = limiter.enter("idle", limits, 0.0)
    assert isinstance(idle, Counted)
    idle.end(0.0)
    limiter.enter("third", limits, 1.0)
    assert set(limiter._uses) == {"running", "third"}
    assert isinstance(running, Counted)
    assert limiter.enter("running", limits, 1.0) == Over(Limit.IN_FLIGHT)
