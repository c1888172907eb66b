from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from scheduler.budget import HOUR_S, Elsewhere
from scheduler.decision import Refusal
from scheduler.pool.spending_caps import Spending
from scheduler.settings import Settings, SpillSettings

CAPPED = Settings(
    spill=SpillSettings(usd_per_hour_max="0.000001"), tenant_nano_per_hour={"a": 300, "b": 900}
)
UNCAPPED = Settings()


def bought(spending: Spending, name: str, nano: int, tenant: str = "a", now: float = 0.0) -> bool:
    if spending.refuses(tenant, nano, CAPPED, now):
        return False
    spending.on_buy(name, tenant, nano, now)
    return True


def test_the_common_cap_is_reached_exactly() -> None:
    spending = Spending()
    assert bought(spending, "q1", 600, "free")
    assert spending.refuses("free", 401, CAPPED, 0.0) is Refusal.SPEND_CAP
    assert spending.refuses("free", 401, UNCAPPED, 0.0) is None
    assert bought(spending, "q2", 400, "free")
    assert spending.hour_nano(0.0) == 1_000


def test_a_tenant_has_its_own_budget() -> None:
    spending = Spending()
    assert bought(spending, "q1", 300)
    assert spending.refuses("a", 1, CAPPED, 0.0) is Refusal.TENANT_BUDGET
    assert bought(spending, "q2", 700, "free")
    assert spending.refuses("b", 1, CAPPED, 0.0) is Refusal.SPEND_CAP


def test_the_end_of_a_purchase_frees_what_it_did_not_cost() -> None:
    spending = Spending()
    assert bought(spending, "q1", 300)
    spending.on_finish("q1", 100)
    assert spending.hour_nano(0.0) == 100
    assert spending.refuses("a", 200, CAPPED, 0.0) is None
    assert spending.refuses("a", 201, CAPPED, 0.0) is Refusal.TENANT_BUDGET


def test_an_unknown_cost_counts_in_full_and_a_stranger_for_nothing() -> None:
    spending = Spending()
    assert bought(spending, "q1", 300)
    spending.on_finish("q1", None)
    spending.on_finish("q1", 0)
    spending.on_finish("nobody", 0)
    assert spending.hour_nano(0.0) == 300


def test_a_budget_that_came_later_counts_what_was_bought_before() -> None:
    spending = Spending()
    spending.on_buy("q1", "a", 300, 0.0)  # when it had no budget
    assert spending.refuses("a", 1, CAPPED, 0.0) is Refusal.TENANT_BUDGET
    spending.on_finish("q1", 50)
    assert bought(spending, "q2", 250)
    assert not bought(spending, "q3", 1)


def test_what_others_bought_counts_from_when_it_was_bought() -> None:
    spending = Spending()
    spending.on_elsewhere(Elsewhere("x", "a", 200, at=-3_000.0, is_open=False))
    assert not bought(spending, "q1", 101)
    assert not bought(spending, "q1", 801, tenant="free")
    assert bought(spending, "q1", 100)
    assert bought(spending, "q2", 200, now=700.0)  # the first is older than an hour
    assert spending.refuses("a", 1, CAPPED, 700.0) is Refusal.TENANT_BUDGET


def test_an_open_purchase_of_others_is_corrected_when_it_is_told_again() -> None:
    spending = Spending()
    spending.on_elsewhere(Elsewhere("x", "a", 300, at=0.0, is_open=True))
    assert not bought(spending, "q1", 1)
    spending.on_elsewhere(Elsewhere("x", "a", 250, at=0.0, is_open=True))
    spending.on_elsewhere(Elsewhere("x", "a", 20, at=0.0, is_open=False))
    assert spending.hour_nano(0.0) == 20
    assert bought(spending, "q1", 280)
    assert not spending._elsewhere


def test_after_an_hour_the_cap_is_free_again() -> None:
    spending = Spending()
    assert bought(spending, "q1", 1_000, "free", now=10.0)
    assert not bought(spending, "q2", 1, "free", now=10.0 + HOUR_S)
    assert bought(spending, "q2", 1, "free", now=70.0 + HOUR_S)
    assert spending.hour_nano(10.0 + HOUR_S + 2 * HOUR_S) == 0


@dataclass(slots=True)
class Bought:
    name: str
    tenant: str
    at: float
    nano: int


PURCHASES = st.tuples(
    st.floats(0, 900), st.sampled_from(["a", "b", "free"]), st.integers(0, 600), st.floats(0, 1)
)


@given(st.lists(PURCHASES, min_size=10, max_size=60), st.data())
def test_no_cap_is_exceeded_in_any_hour(
    wishes: list[tuple[float, str, int, float]], data: st.DataObject
) -> None:
    """Whatever is bought, whatever it costs in the end, and whenever that is known; also by one
    that starts anew now and then, and is told what was bought before."""
    spending, now = Spending(), 0.0
    purchases: list[Bought] = []
    open_: list[Bought] = []
    for seconds, tenant, most_nano, share in wishes:
        now += seconds
        if data.draw(st.integers(0, 9)) == 0:
            spending, open_ = Spending(), []
            for each in purchases:
                if each.at > now - HOUR_S:
                    told = Elsewhere(each.name, each.tenant, each.nano, each.at, is_open=False)
                    spending.on_elsewhere(told)
        if bought(spending, str(len(purchases)), most_nano, tenant, now):
            purchases.append(Bought(str(len(purchases)), tenant, now, most_nano))
            open_.append(purchases[-1])
        ends: bool = data.draw(st.booleans())
        if open_ and ends:
            ended = open_.pop(data.draw(st.integers(0, len(open_) - 1)))
            cost_nano = data.draw(st.sampled_from([None, int(share * ended.nano)]))
            spending.on_finish(ended.name, cost_nano)
            ended.nano = ended.nano if cost_nano is None else cost_nano
        hour = [each for each in purchases if each.at > now - HOUR_S]
        assert sum(each.nano for each in hour) <= spending.hour_nano(now) <= 1_000
        for name, budget in CAPPED.tenant_nano_per_hour.items():
            assert sum(each.nano for each in hour if each.tenant == name) <= budget


def test_no_memory_of_what_has_ended() -> None:
    spending = Spending()
    for n in range(1_000):
        assert bought(spending, str(n), 1, f"tenant {n}", now=n * 60.0)
        spending.on_finish(str(n), 1)
    assert not spending._open
    assert len(spending._tenants) <= 2 * 64 + 1
    assert spending.hour_nano(999 * 60.0) == 61
