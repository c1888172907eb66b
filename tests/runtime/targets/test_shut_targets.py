"""What operators are told of targets that are kept away from."""

from __future__ import annotations

import logging

import pytest

from runtime.targets.shut_targets import ShutLog, described, shut_targets
from scheduler.decision import Outcome
from scheduler.pool.circuit_breaker import BreakerState, Condition
from scheduler.state_machine import Scheduler
from tests.scheduler.given import SETTINGS, arrival, offer, replica

PAUSED = Condition(BreakerState.PAUSED, Outcome.RATE_LIMITED, 11.2)
HALF_OPEN = Condition(BreakerState.HALF_OPEN, Outcome.TARGET_FAILED)


def test_replicas_and_offers_by_the_names_that_decisions_have() -> None:
    scheduler = Scheduler(SETTINGS, [offer("v/m"), offer("v/n", provider="w")])
    assert shut_targets(scheduler.snapshot(0.0)) == {}
    scheduler.on_arrival(arrival("q1"), 0.0)
    scheduler.on_finish("q1", Outcome.RATE_LIMITED, 0.0, 0, 11.2)
    scheduler.on_replica_joined(replica("r1"), 0.0)
    scheduler.on_arrival(arrival("q2"), 0.0)
    scheduler.on_finish("q2", Outcome.KEY_REFUSED, 0.0)
    assert shut_targets(scheduler.snapshot(0.0)) == {
        "offer:v/m": PAUSED,
        "local:r1": Condition(BreakerState.OPEN, Outcome.KEY_REFUSED, 1.0),
    }


def test_a_condition_in_a_document() -> None:
    assert described(PAUSED) == {"state": "paused", "cause": "rate_limited", "tried_in_s": 12}
    assert described(HALF_OPEN)["tried_in_s"] == 0


def test_one_trouble_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "baseload.targets")
    log = ShutLog()
    log.note({})
    log.note({"offer:v/m": PAUSED})
    log.note({"offer:v/m": HALF_OPEN})
    log.note({"offer:v/m": PAUSED, "local:r1": HALF_OPEN})
    log.note({})
    assert [record.getMessage() for record in caplog.records] == [
        "offer:v/m is paused (rate_limited): tried again in 12 s",
        "local:r1 is half_open (target_failed): tried again in 0 s",
        "local:r1 is in use again, or gone",
        "offer:v/m is in use again, or gone",
    ]
