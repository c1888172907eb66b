from __future__ import annotations

from math import inf

import pytest

from scheduler.choose.bid_price_policy import HOPELESS_SHARE, BidPricePolicy
from scheduler.decision import Buy, Dispatch, Outcome, Reason
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.settings import QueueSettings, Settings, SpillSettings
from scheduler.state_machine import Scheduler
from tests.scheduler.given import arrival, offer, pool_of, price, replica, report

POLICY = BidPricePolicy()


def worth(value_nano_per_s: float) -> QueuedRequest:
    """Of so many nano-USD per engine second; infinite: it may not be bought."""
    waiting = QueuedRequest(arrival(), 0.0)
    if value_nano_per_s != inf:
        waiting.cost_nano, waiting.work_s = int(value_nano_per_s), 1.0
    return waiting


def priced(admission_price: float, low_water_price: float = 0.0) -> Pool:
    pool = pool_of()
    pool.bid.admission_price, pool.bid.low_water_price = admission_price, low_water_price
    return pool


def test_the_dearest_is_the_most_urgent() -> None:
    order = sorted([worth(5), worth(inf), worth(7)], key=lambda w: POLICY.urgency(w, priced(0)))
    assert [each.value_nano_per_s for each in order] == [inf, 7, 5]


def test_who_is_worth_the_charge_is_admitted() -> None:
    assert POLICY.admits(worth(0), priced(0.0))
    assert POLICY.admits(worth(100), priced(100.0))
    assert not POLICY.admits(worth(99), priced(100.0))


def test_who_must_not_leave_is_admitted_at_any_charge() -> None:
    assert POLICY.admits(worth(inf), priced(inf))
    assert not POLICY.buys_at_once(worth(inf), priced(inf, low_water_price=inf))


def test_only_the_hopeless_are_bought_at_once() -> None:
    """A burst moves the admission price but not the low-water price: nobody leaves at once."""
    assert not POLICY.buys_at_once(worth(1), priced(1e9, low_water_price=0.0))
    low_water = 100.0 / HOPELESS_SHARE
    assert not POLICY.buys_at_once(worth(100), priced(1e9, low_water))
    assert POLICY.buys_at_once(worth(99), priced(1e9, low_water))


def test_at_the_latest_moment_everyone_is_bought() -> None:
    assert POLICY.buys_late(worth(1), priced(0.0))


# Under a steady load: one replica of four slots, each request takes half a slot second


DEAR, CHEAP = price(0, 40_000_000), price(0, 1_000_000)


def loaded(per_second: int, seconds: int = 60) -> list[Dispatch | Buy]:
    """What becomes of requests of which every second one would cost 40 times the other; the last
    half, when the prices have settled."""
    settings = Settings(
        spill=SpillSettings(demand_window_ms=10_000, hysteresis_ms=2_000),
        queue=QueueSettings(deadline_margin_ms=50),
    )
    offers = [
        offer("v/dear", at=DEAR, in_flight_max=10_000),
        offer("v/cheap", at=CHEAP, in_flight_max=10_000),
    ]
    scheduler = Scheduler(settings, offers)
    scheduler.on_replica_joined(replica(max_num_seqs=4, kv=100_000), 0.0)
    ends: list[tuple[float, str]] = []
    done: list[tuple[float, Dispatch | Buy]] = []
    busy_s, steps, decoded = 0.0, 0, 0
    for tick in range(seconds * 20):
        now = tick / 20
        actions = scheduler.on_tick(now)
        running = len(ends)
        busy_s, steps, decoded = busy_s + 0.05, steps + 5, decoded + 5 * running
        told = report(running=running, busy_s=busy_s, steps=steps, decoded_tokens=decoded)
        actions += scheduler.on_load_report(told, now)
        for _, request_id in [each for each in ends if each[0] <= now]:
            actions += scheduler.on_finish(request_id, Outcome.OK, now)
        ends = [each for each in ends if each[0] > now]
        if tick % (20 // per_second) == 0:
            only = "v/dear" if tick // (20 // per_second) % 2 else "v/cheap"
            asked = arrival(f"{only}{tick}", offers=frozenset({only}), output=50, prompt=10)
            actions += scheduler.on_arrival(asked, now)
        for action in actions:
            if isinstance(action, Dispatch):
                ends.append((now + 0.5, action.request_id))
            if isinstance(action, Dispatch | Buy):
                done.append((now, action))
    return [action for at, action in done if at > seconds / 2]


def test_what_fits_stays() -> None:
    assert all(isinstance(action, Dispatch) for action in loaded(per_second=4))


def test_of_what_does_not_fit_the_cheap_leaves_and_the_dear_stays() -> None:
    """Eight a second fit; ten of each kind come."""
    done = loaded(per_second=20)
    dear = [action for action in done if action.request_id.startswith("v/dear")]
    kept = [action for action in dear if isinstance(action, Dispatch)]
    bought = [action for action in done if isinstance(action, Buy)]
    assert len(kept) >= 0.7 * len(dear)
    assert sum(each.offer_id == "v/cheap" for each in bought) >= 0.7 * len(bought)
    assert sum(each.reason is Reason.SPILL_PRICE for each in bought) >= 0.5 * len(bought)


@pytest.mark.parametrize("seconds", [20])
def test_the_same_events_give_the_same_decisions(seconds: int) -> None:
    assert loaded(20, seconds) == loaded(20, seconds)
