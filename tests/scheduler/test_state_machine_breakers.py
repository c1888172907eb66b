"""What the trouble of one target means for requests to it, and to others."""

from __future__ import annotations

import pytest

from scheduler.decision import Buy, Dispatch, Hold, Outcome, Reason, Refusal, Reject
from scheduler.pool.circuit_breaker import CLOSED, BreakerState, Condition
from scheduler.snapshot import Limit
from scheduler.state_machine import Scheduler
from tests.scheduler.given import SETTINGS, arrival, offer, only, price, running

CHEAP = offer("a/m", provider="a", at=price(1, 1))
DEAR = offer("b/m", provider="b")
BOTH = [offer("v/m", provider="v"), offer("v/other", provider="v", model="other")]


def bought(scheduler: Scheduler, request_id: str, now: float, model: str = "moe") -> str:
    action = only(scheduler.on_arrival(arrival(request_id, model=model), now))
    assert isinstance(action, Buy)
    return action.offer_id


def ended(
    scheduler: Scheduler, outcome: Outcome, times: int = 1, pause_s: float | None = None
) -> None:
    """So many purchases of the model at 0.0 that end so."""
    for n in range(times):
        scheduler.on_arrival(arrival(f"bad{n}"), 0.0)
        scheduler.on_finish(f"bad{n}", outcome, 0.0, 0, pause_s)


def test_a_failing_offer_is_left_alone_until_a_probe_succeeds() -> None:
    scheduler = Scheduler(SETTINGS, [CHEAP, DEAR])
    for n in range(2):
        assert bought(scheduler, f"q{n}", 0.0) == "a/m"
        scheduler.on_finish(f"q{n}", Outcome.TARGET_FAILED, 0.0)
    assert bought(scheduler, "q2", 0.5) == "b/m"
    assert scheduler.snapshot(0.5).limits == {Limit.BREAKER_OPENED: 1}
    condition = Condition(BreakerState.OPEN, Outcome.TARGET_FAILED, 0.5)
    assert scheduler.snapshot(0.5).offers[0].breaker == condition
    assert [bought(scheduler, name, 1.0) for name in ("probe", "q3")] == ["a/m", "b/m"]
    scheduler.on_finish("probe", Outcome.OK, 1.1)
    assert bought(scheduler, "q4", 1.2) == "a/m"


def test_a_probe_frees_its_target_with_its_first_token() -> None:
    scheduler = Scheduler(SETTINGS, [CHEAP, DEAR])
    ended(scheduler, Outcome.TARGET_FAILED, 2)
    assert bought(scheduler, "probe", 1.0) == "a/m"
    scheduler.on_first_token("nobody", 1.0)
    assert bought(scheduler, "q1", 1.0) == "b/m"
    scheduler.on_first_token("probe", 1.2)
    assert bought(scheduler, "q2", 1.3) == "a/m"


def test_a_probe_that_hangs_frees_its_target_with_the_end_of_its_lease() -> None:
    scheduler = Scheduler(SETTINGS, [CHEAP, DEAR])
    ended(scheduler, Outcome.TARGET_FAILED, 2)
    assert bought(scheduler, "probe", 1.0) == "a/m"
    assert bought(scheduler, "q1", 30.9) == "b/m"
    assert bought(scheduler, "q2", 31.0) == "a/m"


@pytest.mark.parametrize(
    "outcome", [Outcome.TARGET_FAILED, Outcome.RATE_LIMITED, Outcome.TARGET_BUSY]
)
def test_what_one_model_of_a_provider_does_leaves_its_others_alone(outcome: Outcome) -> None:
    scheduler = Scheduler(SETTINGS, BOTH)
    ended(scheduler, outcome, 2)
    assert not scheduler.can_serve("moe", 0.0)
    assert scheduler.on_arrival(arrival("q"), 0.0) == [Hold("q")]
    assert scheduler.can_serve("other", 0.0)
    assert bought(scheduler, "q3", 0.0, "other") == "v/other"


def test_a_refused_key_closes_every_offer_of_the_provider_at_once() -> None:
    scheduler = Scheduler(SETTINGS, [*BOTH, offer("w/other", provider="w", model="other")])
    ended(scheduler, Outcome.KEY_REFUSED)
    assert not scheduler.can_serve("moe", 0.0)
    assert bought(scheduler, "q3", 0.0, "other") == "w/other"
    views = {view.target.id: view.breaker for view in scheduler.snapshot(0.0).offers}
    shut = Condition(BreakerState.OPEN, Outcome.KEY_REFUSED, 1.0)
    assert views == {"v/m": shut, "v/other": shut, "w/other": CLOSED}
    assert bought(scheduler, "probe", 1.0, "other") == "v/other"


def test_a_changed_configuration_keeps_the_state_of_accounts_and_offers() -> None:
    scheduler = Scheduler(SETTINGS, BOTH)
    ended(scheduler, Outcome.KEY_REFUSED)
    scheduler.set_settings(SETTINGS, [*BOTH, offer("v/new", provider="v", model="new")], 0.1)
    assert [scheduler.can_serve(model, 0.1) for model in ("moe", "other", "new")] == [False] * 3


def test_a_provider_that_is_taken_away_and_comes_back_has_one_account() -> None:
    scheduler = Scheduler(SETTINGS, BOTH)
    assert bought(scheduler, "q1", 0.0) == "v/m"  # so that the offer is still known below
    for offers in ([], BOTH):
        scheduler.set_settings(SETTINGS, offers, 0.1)
    scheduler.on_finish("q1", Outcome.KEY_REFUSED, 0.2)
    assert not scheduler.can_serve("other", 0.3)


def test_a_paused_offer_is_waited_for_as_long_as_it_said() -> None:
    scheduler = Scheduler(SETTINGS, [CHEAP])
    ended(scheduler, Outcome.RATE_LIMITED, pause_s=7.0)
    assert scheduler.snapshot(0.0).limits == {Limit.TARGET_PAUSED: 1}
    assert scheduler.on_arrival(arrival("q1"), 0.5) == [Hold("q1")]
    assert scheduler.on_tick(6.9) == []
    assert isinstance(only(scheduler.on_tick(7.0)), Buy)


def test_who_waited_for_a_paused_offer_in_vain_is_told_to_come_back() -> None:
    scheduler = Scheduler(SETTINGS, [CHEAP])
    ended(scheduler, Outcome.RATE_LIMITED, pause_s=200.0)
    scheduler.on_arrival(arrival("q1"), 0.0)
    refused = only(scheduler.on_tick(10.0))
    assert isinstance(refused, Reject)
    assert refused.reason is Reason.SPILL_CAPPED
    assert refused.retry_after_s is not None
    assert [verdict.refusal for verdict in refused.verdicts] == [Refusal.PAUSED]


def test_a_failing_replica_is_waited_for_and_probed() -> None:
    scheduler = running()
    for n in range(2):
        scheduler.on_arrival(arrival(f"q{n}"), 0.0)
        scheduler.on_finish(f"q{n}", Outcome.TARGET_FAILED, 0.0)
    assert scheduler.on_arrival(arrival("q2"), 0.5) == [Hold("q2")]
    assert not scheduler.can_serve("moe", 0.5)
    assert isinstance(only(scheduler.on_tick(1.0)), Dispatch)


def test_a_busy_replica_is_waited_for() -> None:
    scheduler = running()
    scheduler.on_arrival(arrival("q0"), 0.0)
    scheduler.on_finish("q0", Outcome.TARGET_BUSY, 0.0, 0, 2.0)
    assert scheduler.on_arrival(arrival("q1"), 0.5) == [Hold("q1")]
    assert scheduler.on_tick(1.9) == []
    assert isinstance(only(scheduler.on_tick(2.0)), Dispatch)
