"""A request that several models may answer: whose replicas serve it, and where it is bought."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from scheduler.arrival import Arrival
from scheduler.decision import Buy, Dispatch, Hold, Outcome, Reason, Reject
from scheduler.offer import Offer
from scheduler.state_machine import Scheduler
from tests.scheduler.given import SETTINGS, arrival, local, offer, only, price, replica, report

FIRST, SECOND, THIRD = "first", "second", "third"
CHEAP, DEAR = price(1_000, 1_000), price(9_000, 9_000)


def two_pools(*offers: Offer, slots: int = 1) -> Scheduler:
    """A replica of each of two models."""
    scheduler = Scheduler(SETTINGS, offers)
    for replica_id, model in (("r1", FIRST), ("r2", SECOND)):
        scheduler.on_replica_joined(replica(replica_id, model=model, max_num_seqs=slots), 0.0)
        scheduler.on_load_report(report(replica_id), 0.0)
    return scheduler


def either(name: str, *models: str, **more: object) -> Arrival:
    """Of the first of the models, then the others."""
    first, *others = (replace(arrival(name, model=model), **more) for model in models)  # type: ignore[arg-type]
    return replace(first, alternatives=tuple(others))


def sent_to(scheduler: Scheduler, request: Arrival, now: float = 0.0) -> str:
    action = only(scheduler.on_arrival(request, now))
    assert isinstance(action, Dispatch | Buy)
    return action.target.id


def measured(scheduler: Scheduler) -> None:
    for pool in scheduler._pools.values():
        pool.cost.is_measured = True


def test_the_first_model_serves_while_it_has_room_then_the_next_then_it_is_bought() -> None:
    scheduler = two_pools(offer("v/1", model=FIRST), offer("v/2", model=SECOND))
    assert sent_to(scheduler, either("q1", FIRST, SECOND)) == "r1"
    assert sent_to(scheduler, either("q2", FIRST, SECOND)) == "r2"
    assert scheduler.on_arrival(either("q3", FIRST, SECOND), 0.0) == [Hold("q3")]
    bought = only(scheduler.on_tick(1.95))
    assert isinstance(bought, Buy)
    assert (bought.target.id, bought.reason) == ("v/1", Reason.SPILL_LATENCY)


def test_who_waits_moves_when_another_model_has_room_again() -> None:
    scheduler = two_pools()
    for name in ("q1", "q2"):
        sent_to(scheduler, either(name, FIRST, SECOND))
    assert scheduler.on_arrival(either("q3", FIRST, SECOND), 0.0) == [Hold("q3")]
    assert scheduler.on_finish("q2", Outcome.OK, 0.1) == []
    moved = only(scheduler.on_tick(0.15))
    assert isinstance(moved, Dispatch)
    assert (moved.target, moved.reason) == (local("r2"), Reason.SUBSTITUTE)
    scheduler.on_finish("q1", Outcome.OK, 0.2)
    scheduler.on_finish("q3", Outcome.OK, 0.2)
    assert [view.in_flight for view in scheduler.snapshot(0.2).replicas] == [0, 0]


def test_who_waits_for_a_model_by_name_comes_before_who_would_substitute_it() -> None:
    scheduler = two_pools()
    for name in ("q1", "q2"):
        sent_to(scheduler, either(name, FIRST, SECOND))
    assert scheduler.on_arrival(either("q3", FIRST, SECOND), 0.0) == [Hold("q3")]
    assert scheduler.on_arrival(arrival("q4", model=SECOND), 0.0) == [Hold("q4")]
    served = only(scheduler.on_finish("q2", Outcome.OK, 0.1))
    assert (served.request_id, scheduler.on_tick(0.15)) == ("q4", [])


def test_a_named_model_is_never_replaced() -> None:
    scheduler = two_pools(offer("v/2", model=SECOND))
    assert sent_to(scheduler, arrival("q1", model=FIRST)) == "r1"
    assert scheduler.on_arrival(arrival("q2", model=FIRST), 0.0) == [Hold("q2")]
    refused = only(scheduler.on_tick(10.0))
    assert isinstance(refused, Reject)
    assert refused.reason is Reason.QUEUE_TIMEOUT


def test_one_for_failures_does_not_take_what_is_too_much_but_what_failed() -> None:
    scheduler = two_pools(offer("v/1", model=FIRST))
    spare = replace(arrival("q2", model=SECOND), is_substitute=False)
    request = replace(arrival("q2", model=FIRST), alternatives=(spare,))
    assert sent_to(scheduler, arrival("q1", model=FIRST)) == "r1"
    assert scheduler.on_arrival(request, 0.0) == [Hold("q2")]
    assert only(scheduler.on_tick(1.95)).target.id == "v/1"  # type: ignore[union-attr]
    scheduler.on_finish("q2", Outcome.TARGET_FAILED, 2.0)
    scheduler.on_replica_left("r1", 2.0)
    scheduler.set_settings(SETTINGS, [], 2.0)
    again = only(scheduler.on_arrival(replace(request, request_id="q3"), 2.1))
    assert isinstance(again, Dispatch)
    assert again.target == local("r2")


def test_a_model_that_only_others_sell_is_bought_before_another_stands_in() -> None:
    scheduler = two_pools(offer("v/3", model=THIRD, in_flight_max=1))
    assert sent_to(scheduler, either("q1", THIRD, FIRST)) == "v/3"
    assert sent_to(scheduler, either("q2", THIRD, FIRST)) == "r1"  # the offer is full


@pytest.mark.parametrize(("buys_cheapest", "chosen"), [(False, "v/1"), (True, "v/2")])
def test_offers_are_taken_in_order_or_the_cheapest_of_all(buys_cheapest: bool, chosen: str) -> None:
    offers = offer("v/1", model=FIRST, at=DEAR), offer("v/2", model=SECOND, at=CHEAP)
    scheduler = Scheduler(SETTINGS, offers)
    request = either("q1", FIRST, SECOND, buys_cheapest=buys_cheapest)
    assert sent_to(scheduler, request) == chosen


def test_an_offer_is_reserved_with_what_its_own_model_would_take() -> None:
    scheduler = Scheduler(SETTINGS, [offer("v/2", model=SECOND)])
    longer = replace(arrival("q1", model=SECOND), prompt_tokens=500)
    sent_to(scheduler, replace(arrival("q1", model=FIRST), alternatives=(longer,)))
    most = offer().price.cost_nano(500, 0, 100)  # type: ignore[union-attr]
    assert scheduler.snapshot(0.0).spill_nano_last_hour == most


def test_it_is_worth_no_more_than_the_room_that_others_have() -> None:
    scheduler = two_pools(offer("v/1", model=FIRST))
    measured(scheduler)
    sent_to(scheduler, arrival("q1", model=FIRST))
    first, second = scheduler._pools[FIRST], scheduler._pools[SECOND]
    assert sent_to(scheduler, either("q2", FIRST, SECOND)) == "r2"
    # Demand counts once, and where it is served.
    work_s = first.cost.work_s(arrival(), 0, replica(max_num_seqs=1).limits)
    assert sum(first.bid._curve._work_s) == pytest.approx(work_s)
    assert sum(second.bid._curve._work_s) == pytest.approx(work_s)
    assert second.bid._curve._work_s[0] == 0  # worth what it would cost to buy
    scheduler.on_arrival(either("q3", FIRST, SECOND), 0.0)
    waiting = first.queue.all()[0]
    assert waiting.cost_nano == waiting.purchase_nano  # the other one is full
    assert waiting.value_nano_per_s < inf


def test_the_charge_of_a_model_is_nothing_while_it_has_room() -> None:
    scheduler = two_pools()
    assert scheduler.charge_nano(arrival(model=FIRST), 0.0) == 0
    assert scheduler.charge_nano(arrival(model=THIRD), 0.0) is None
    assert scheduler.charge_nano(arrival(model=FIRST, prompt=4_000), 0.0) is None
    measured(scheduler)
    pool = scheduler._pools[FIRST]
    pool.bid.price, pool.in_flight = 1e9, 1
    work_s = pool.cost.work_s(arrival(), 0, replica(max_num_seqs=1).limits)
    assert scheduler.charge_nano(arrival(model=FIRST), 0.0) == round(1e9 * work_s)


def test_what_may_not_stay_here_goes_to_no_replica_of_any_model() -> None:
    scheduler = two_pools(offer("v/2", model=SECOND))
    request = either("q1", FIRST, SECOND, is_local_allowed=False)
    assert sent_to(scheduler, request) == "v/2"


def test_who_is_not_let_in_elsewhere_is_worth_what_it_would_cost_to_buy() -> None:
    """Another model's room may be cheap, and not for it: then that is no reason to buy."""
    scheduler = two_pools(offer("v/1", model=FIRST))
    scheduler.on_replica_joined(replica("r3", model=SECOND, kv=4_000), 0.0)
    scheduler.on_load_report(report("r3"), 0.0)
    for name in ("q1", "q2"):
        sent_to(scheduler, either(name, FIRST, SECOND))
    sent_to(scheduler, arrival("big", model=SECOND, prompt=3_000))
    waits = arrival("waits", model=SECOND, prompt=3_000)  # too long for what is left
    assert scheduler.on_arrival(waits, 0.0) == [Hold("waits")]
    measured(scheduler)
    first = scheduler._pools[FIRST]
    first.bid.price = first.bid.low_water_price = 1.0  # dearer than room that costs nothing
    assert scheduler.on_arrival(either("q3", FIRST, SECOND), 0.0) == [Hold("q3")]
    waiting = first.queue.all()[0]
    assert waiting.cost_nano == waiting.purchase_nano
    assert first.bid._curve._work_s[0] == 0  # its demand is worth as much
    assert sum(first.bid._curve._work_s) == pytest.approx(waiting.work_s)
    assert only(scheduler.on_finish("q1", Outcome.OK, 0.1)).target == local("r1")  # type: ignore[union-attr]
