"""What every budget keeps, whoever it is shared with: add a new one to ``BUDGETS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.arrival import Arrival
from scheduler.budget import HOUR_S, Budget, Elsewhere
from scheduler.decision import Refusal
from scheduler.learned.minute_counts import MINUTE_S
from scheduler.pool.local_budget import LocalBudget
from scheduler.settings import Settings, SpillSettings
from tests.scheduler.given import arrival, offer

CAPPED = Settings(
    spill=SpillSettings(usd_per_hour_max="0.000001"), tenant_nano_per_hour={"a": 300, "b": 900}
)
FREE = Settings()
PLAIN = offer()
LIMITED = offer("vendor/limited", requests_per_min_max=7, tokens_per_min_max=900)
SLOT_S_MAX = HOUR_S / 60  # so much later than an hour what was spent may still count

Open = Callable[[], Budget]
BUDGETS: list[Open] = [LocalBudget]

every_budget = pytest.mark.parametrize("opened", BUDGETS)


def request(name: str, tenant: str = "a", tokens: int = 200) -> Arrival:
    return arrival(name, tenant=tenant, prompt=tokens - 100, output_max=100)


def bought(budget: Budget, name: str, nano: int, tenant: str = "a", now: float = 0.0) -> bool:
    wanted = request(name, tenant)
    if budget.refuses(wanted, PLAIN, nano, CAPPED, now):
        return False
    budget.reserve(wanted, PLAIN, nano, now)
    return True


def refusal(budget: Budget, nano: int, tenant: str = "a", now: float = 0.0) -> Refusal | None:
    """Of one more purchase. To ask changes nothing, so it is asked twice."""
    first, again = (
        budget.refuses(request("more", tenant), PLAIN, nano, CAPPED, now) for _ in range(2)
    )
    assert first is again
    return first


@every_budget
def test_a_cap_is_reached_exactly_and_says_whose_it_is(opened: Open) -> None:
    budget = opened()
    assert bought(budget, "q1", 300)
    assert refusal(budget, 1) is Refusal.TENANT_BUDGET
    assert bought(budget, "q2", 700, "free")
    assert refusal(budget, 1, "b") is Refusal.SPEND_CAP
    assert refusal(budget, 0, "b") is None
    assert budget.refuses(request("q3"), PLAIN, 10**9, FREE, 0.0) is None
    assert budget.spent_nano(0.0) == 1_000


@every_budget
@given(most=st.integers(0, 300), data=st.data())
def test_a_settle_gives_back_what_it_did_not_cost(
    opened: Open, most: int, data: st.DataObject
) -> None:
    budget, cost = opened(), data.draw(st.integers(0, most))
    assert bought(budget, "q1", most)
    assert budget.spent_nano(0.0) == most
    budget.settle("q1", cost)
    assert budget.spent_nano(0.0) == cost
    assert refusal(budget, 300 - cost) is None
    assert refusal(budget, 301 - cost) is Refusal.TENANT_BUDGET


@every_budget
def test_an_unknown_cost_counts_in_full_and_an_end_counts_once(opened: Open) -> None:
    budget = opened()
    assert bought(budget, "q1", 300)
    budget.settle("q1", None)
    budget.settle("q1", 0)
    budget.settle("nobody", 0)
    assert budget.spent_nano(0.0) == 300


@every_budget
def test_what_others_spend_counts_from_when_they_did(opened: Open) -> None:
    budget = opened()
    budget.on_elsewhere(Elsewhere("x", "a", 200, at=-3_000.0, is_open=False))
    assert refusal(budget, 101) is Refusal.TENANT_BUDGET
    assert refusal(budget, 801, "free") is Refusal.SPEND_CAP
    assert bought(budget, "q1", 100)
    later = HOUR_S - 3_000.0 + SLOT_S_MAX
    assert bought(budget, "q2", 200, now=later)
    assert refusal(budget, 1, now=later) is Refusal.TENANT_BUDGET


@every_budget
def test_what_others_spend_is_corrected_when_it_is_told_again(opened: Open) -> None:
    budget = opened()
    for nano, is_open in ((300, True), (250, True), (20, False)):
        budget.on_elsewhere(Elsewhere("x", "a", nano, at=0.0, is_open=is_open))
        assert budget.spent_nano(0.0) == nano
    assert bought(budget, "q1", 280)
    assert refusal(budget, 1) is Refusal.TENANT_BUDGET


@every_budget
def test_an_hour_ends(opened: Open) -> None:
    budget = opened()
    assert bought(budget, "q1", 1_000, "free", now=10.0)
    assert not bought(budget, "q2", 1, "free", now=9.9 + HOUR_S)
    assert bought(budget, "q2", 1, "free", now=10.0 + HOUR_S + SLOT_S_MAX)
    assert budget.spent_nano(10.0 + 3 * HOUR_S) == 0


@dataclass(slots=True)
class Bought:
    name: str
    tenant: str
    at: float
    nano: int


WISHES = st.tuples(
    st.floats(0, 900), st.sampled_from(["a", "b", "free"]), st.integers(0, 600), st.floats(0, 1)
)


@every_budget
@given(wishes=st.lists(WISHES, min_size=10, max_size=60), data=st.data())
def test_no_cap_is_passed_in_any_hour(
    opened: Open, wishes: list[tuple[float, str, int, float]], data: st.DataObject
) -> None:
    """Whatever is bought here or elsewhere, and whatever it costs in the end."""
    budget, now = opened(), 0.0
    purchases: list[Bought] = []
    running: list[Bought] = []
    for number, (seconds, tenant, most_nano, share) in enumerate(wishes):
        now += seconds
        one = Bought(str(number), tenant, now, most_nano)
        if refusal(budget, most_nano, tenant, now) is None:
            purchases.append(one)
            if data.draw(st.integers(0, 3)):
                budget.reserve(request(one.name, tenant), PLAIN, most_nano, now)
                running.append(one)
            else:
                budget.on_elsewhere(Elsewhere(one.name, tenant, most_nano, now, is_open=False))
        ends: bool = data.draw(st.booleans())
        if running and ends:
            ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
            ended.nano = int(share * ended.nano)
            budget.settle(ended.name, ended.nano)
        hour = [each for each in purchases if each.at > now - HOUR_S]
        assert sum(each.nano for each in hour) <= budget.spent_nano(now) <= 1_000
        for name, cap in CAPPED.tenant_nano_per_hour.items():
            assert sum(each.nano for each in hour if each.tenant == name) <= cap


SENT = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 400)), max_size=120)


@every_budget
@given(wishes=SENT)
def test_the_limits_per_minute_are_never_passed(
    opened: Open, wishes: list[tuple[float, int]]
) -> None:
    budget, now, sent = opened(), 0.0, []
    for n, (seconds, prompt) in enumerate(wishes):
        now += seconds
        wanted = request(str(n), tokens=prompt + 100)
        if budget.refuses(wanted, LIMITED, 1, FREE, now) is None:
            budget.reserve(wanted, LIMITED, 1, now)
            sent.append((now, prompt + 100))
        minute = [tokens for at, tokens in sent if at > now - MINUTE_S]
        assert len(minute) <= 7
        assert sum(minute) <= 900


def rate_refusal(budget: Budget, tokens: int, now: float, limited: bool = True) -> Refusal | None:
    two = offer("vendor/two", requests_per_min_max=2, tokens_per_min_max=500)
    at = two if limited else offer("vendor/two")
    return budget.refuses(request("more", tokens=tokens), at, 1, FREE, now)


@every_budget
def test_which_limit_it_was_and_that_a_minute_ends(opened: Open) -> None:
    budget, two = opened(), offer("vendor/two")  # its limits come later, and count what was before
    budget.reserve(request("q1", tokens=300), two, 1, 10.0)
    assert rate_refusal(budget, 201, 10.0) is Refusal.RATE_TOKENS
    assert rate_refusal(budget, 200, 10.0) is None
    budget.reserve(request("q2", tokens=200), two, 1, 10.0)
    budget.settle("q2", 0)  # an end gives back no limit of a minute
    assert rate_refusal(budget, 101, 69.9) is Refusal.RATE_REQUESTS
    assert rate_refusal(budget, 101, 69.9, limited=False) is None
    assert budget.refuses(request("more"), LIMITED, 1, FREE, 69.9) is None  # another offer
    assert rate_refusal(budget, 101, 72.0) is None


@every_budget
def test_without_limits_there_are_none(opened: Open) -> None:
    budget = opened()
    for n in range(1_000):
        budget.reserve(request(str(n)), PLAIN, 0, 0.0)
    assert budget.refuses(request("more"), PLAIN, 0, CAPPED, 0.0) is None


@every_budget
def test_a_rate_is_told_before_a_cap(opened: Open) -> None:
    """Both forbid it: the verdict is the one that ends sooner."""
    none_left = offer("vendor/none", requests_per_min_max=0)
    assert opened().refuses(request("q1"), none_left, 301, CAPPED, 0.0) is Refusal.RATE_REQUESTS


@every_budget
def test_whether_a_limit_still_counts_something(opened: Open) -> None:
    budget = opened()
    assert not budget.counts(PLAIN.offer_id, 0.0)
    budget.reserve(request("q1"), PLAIN, 1, 0.0)
    budget.settle("q1", 1)
    assert budget.counts(PLAIN.offer_id, 59.0)
    assert not budget.counts("vendor/other", 59.0)
    assert not budget.counts(PLAIN.offer_id, 62.0)


def test_nothing_is_kept_of_an_offer_that_counts_no_more() -> None:
    budget = LocalBudget()
    for n in range(100):
        budget.reserve(request("q"), offer(f"vendor/{n}"), 1, n * 100.0)
        budget.settle("q", 1)
        assert not budget.counts(f"vendor/{n}", n * 100.0 + 62.0)
    assert not budget._rates._sent
