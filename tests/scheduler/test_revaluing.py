"""Prices that change while requests wait: an offer's price, its first, its last."""

from __future__ import annotations

from scheduler.decision import Buy, Dispatch, Hold, Outcome
from scheduler.offer import Offer
from scheduler.state_machine import Scheduler
from tests.scheduler.given import (
    PRICE,
    SETTINGS,
    arrival,
    local,
    offer,
    only,
    patient,
    price,
    running,
)


def _full(*offers: Offer) -> Scheduler:
    """One replica of one slot, which is taken."""
    scheduler = running(*offers)
    assert isinstance(only(scheduler.on_arrival(patient("first"), 0.0)), Dispatch)
    return scheduler


def test_who_waits_is_served_in_the_order_of_todays_prices() -> None:
    """q1 would be dearer elsewhere; then its vendor lowers its price below the other one's."""
    at_ten, at_five, at_one = (price(input_pico=n, output_pico=n) for n in (10_000, 5_000, 1_000))
    first, second = offer("a/m", provider="a", at=at_ten), offer("b/m", provider="b", at=at_five)
    for lowered, served in ((False, "q1"), (True, "q2")):
        scheduler = _full(first, second)
        for request_id, offer_id in (("q1", "a/m"), ("q2", "b/m")):
            held = patient(request_id, offers=frozenset({offer_id}))
            assert scheduler.on_arrival(held, 0.1) == [Hold(request_id)]
        if lowered:
            today = offer("a/m", provider="a", at=at_one)
            scheduler.set_settings(SETTINGS, [today, second], 0.2)
        action = only(scheduler.on_finish("first", Outcome.OK, 0.3))
        assert action.request_id == served


def test_an_offer_whose_first_price_begins_can_still_be_bought_in_time() -> None:
    scheduler = _full(offer(at=None))
    assert scheduler.on_arrival(arrival("q1", ttft_budget_ms=4_000), 0.0) == [Hold("q1")]
    scheduler.set_settings(SETTINGS, [offer(at=PRICE)], 1.0)
    assert scheduler.on_tick(1.1) == []
    assert isinstance(only(scheduler.on_tick(3.9)), Buy)


def test_an_offer_whose_price_has_ended_is_not_bought() -> None:
    scheduler = _full(offer(at=PRICE))
    assert scheduler.on_arrival(arrival("q1", ttft_budget_ms=4_000), 0.0) == [Hold("q1")]
    scheduler.set_settings(SETTINGS, [offer(at=None)], 1.0)
    assert scheduler.on_tick(3.9) == []
    assert isinstance(only(scheduler.on_finish("first", Outcome.OK, 4.0)), Dispatch)


def test_who_stands_aside_is_valued_and_stays_aside() -> None:
    scheduler = running(offer())
    assert isinstance(only(scheduler.on_arrival(patient("q1"), 0.0)), Dispatch)
    scheduler.on_finish("q1", Outcome.TARGET_FAILED, 0.1)
    assert scheduler.on_retry(patient("q1", offers=frozenset()), [local("r1")], 0.1) == [Hold("q1")]
    scheduler.set_settings(SETTINGS, [offer(at=price(input_pico=9))], 0.2)
    assert isinstance(only(scheduler.on_arrival(patient("q2"), 0.3)), Dispatch)
