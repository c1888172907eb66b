"""What is remembered of the turns of conversations, and what a plan makes of it."""

from __future__ import annotations

import pytest

from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.routing.quality_table import Quality
from scheduler.routing.routing_plan import CandidateStanding, Place
from scheduler.routing.rule import ANY_ABILITY, Candidate, Choose
from scheduler.routing.sessions import IDLE_S_MAX, Kept, SessionLimit, Sessions
from tests.scheduler.routing.test_routing_plan import GOOD, models, planned, rule

KEPT = Kept("m", "v/m", 100)


def test_a_prompt_that_goes_on_from_a_turn_finds_it() -> None:
    sessions = Sessions()
    sessions.served((1, 2, 3), KEPT, 0.0)
    assert sessions.find((1, 2, 3), 1.0) == KEPT
    assert sessions.find((1, 2, 3, 4, 5), 1.0) == KEPT


def test_what_only_begins_alike_is_another_conversation() -> None:
    sessions = Sessions()
    sessions.served((1, 2, 3), KEPT, 0.0)
    assert sessions.find((1, 2), 1.0) is None
    assert sessions.find((1, 2, 9), 1.0) is None
    assert sessions.find((), 1.0) is None


def test_a_turn_takes_the_place_of_the_one_before() -> None:
    sessions = Sessions()
    for turn in range(1, 19):
        sessions.served(tuple(range(turn)), KEPT, float(turn))
    assert len(sessions) == 1
    assert sessions.limits[SessionLimit.SESSIONS] == 0


def test_two_conversations_of_one_beginning_are_two() -> None:
    sessions = Sessions()
    other = Kept("n", LOCAL, 50)
    sessions.served((1, 2, 3), KEPT, 0.0)
    sessions.served((1, 2, 4), other, 0.0)
    assert sessions.find((1, 2, 3, 5), 1.0) == KEPT
    assert sessions.find((1, 2, 4, 5), 1.0) == other


def test_nothing_is_left_of_a_cache_that_nobody_read_for_long() -> None:
    sessions = Sessions()
    sessions.served((1,), KEPT, 0.0)
    assert sessions.find((1,), IDLE_S_MAX) == KEPT
    assert sessions.find((1,), IDLE_S_MAX + 1) is None


def test_the_oldest_is_forgotten_first_and_that_is_counted() -> None:
    sessions = Sessions(sessions_max=2)
    for number in range(3):
        sessions.served((number,), KEPT, 0.0)
    assert [sessions.find((number,), 1.0) for number in range(3)] == [None, KEPT, KEPT]
    assert sessions.limits[SessionLimit.SESSIONS] == 1
    sessions.served((9,), KEPT, IDLE_S_MAX + 1)
    assert sessions.limits[SessionLimit.SESSIONS] == 1  # that one had gone idle


def test_a_cache_holds_what_was_sent_there_and_no_more_than_the_prompt() -> None:
    assert KEPT.cached_tokens("m", "v/m", 150) == 100
    assert KEPT.cached_tokens("m", "v/m", 60) == 60
    assert KEPT.cached_tokens("n", "v/m", 150) == KEPT.cached_tokens("m", "w/m", 150) == 0


def at(model: str, nano: int | None, quality: Quality = GOOD) -> CandidateStanding:
    place = Place(f"v/{model}", nano, None)
    return CandidateStanding(Candidate(model), ANY_ABILITY, quality, (place,))


@pytest.mark.parametrize(
    ("first", "kept", "stays"),
    [(1_000, 1_000, True), (1_000, 999, True), (999, 1_000, False), (None, None, True)],
)
def test_it_stays_unless_the_one_before_costs_less(
    first: int | None, kept: int | None, stays: bool
) -> None:
    """Costs are with what is cached: what a switch saves is more than what it loses, or not."""
    found = planned(rule(), at("first", first), at("m", kept), at("last", 0), kept=KEPT)
    assert models(found) == (["m", "first", "last"] if stays else ["first", "m", "last"])


def test_between_equally_cheap_models_it_stays() -> None:
    by_cost = rule(choose=Choose.CHEAPEST)
    assert models(planned(by_cost, at("first", 5), at("m", 5), kept=KEPT)) == ["m", "first"]
    assert models(planned(by_cost, at("first", 4), at("m", 5), kept=KEPT)) == ["first", "m"]


def test_a_better_answer_is_worth_a_switch() -> None:
    by_value = rule(choose=Choose.BEST_VALUE, score_per_usd=1.0)
    better = Quality(0.95, 0.94, 0.96, 500)
    assert models(planned(by_value, at("first", 5), at("m", 5), kept=KEPT)) == ["m", "first"]
    assert models(planned(by_value, at("first", 5, better), at("m", 5), kept=KEPT))[0] == "first"


def test_what_it_may_not_have_any_more_does_not_hold_it() -> None:
    poor = Quality(0.1, 0.05, 0.15, 500)
    floor = rule(quality_floor=0.5)
    assert models(planned(floor, at("first", 9), at("m", 1, poor), kept=KEPT)) == ["first"]
    assert models(planned(rule(), at("first", 9), at("last", 9), kept=KEPT)) == ["first", "last"]
