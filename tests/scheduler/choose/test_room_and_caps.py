from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from scheduler.choose.room_and_caps import (
    first_token_s,
    is_servable,
    may_ever_buy,
    refuse_offer,
    refuse_replica,
)
from scheduler.decision import Outcome, Refusal
from scheduler.pool.local_budget import LocalBudget
from scheduler.pool.offer_state import OfferState
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.pool.step_cost import StepCost
from scheduler.settings import AdmissionSettings, CircuitBreakerSettings, Settings, SpillSettings
from scheduler.target import Incarnation
from tests.scheduler.given import arrival, at_offer, offer_state, pool_of, price, replica, report

SETTINGS = Settings(
    admission=AdmissionSettings(ramp_requests=2, kv_headroom=0.0, report_age_ms_max=1_000),
    circuit_breaker=CircuitBreakerSettings(failures=1),
    spill=SpillSettings(usd_per_hour_max="0.000001"),
    tenant_nano_per_hour={"poor": 100},
)
NOW = 100.0


def waiting(
    prompt: int = 100, output_max: int = 100, excluded: Iterable[Incarnation] = (), **more: object
) -> QueuedRequest:
    request = arrival("new", prompt=prompt, output=50, output_max=output_max, **more)  # type: ignore[arg-type]
    return QueuedRequest(request, NOW, frozenset(excluded))


# Replicas


def refusal_of(
    state: ReplicaState, request: QueuedRequest, cost: StepCost | None = None
) -> Refusal | None:
    cost = cost or StepCost.assumed(SETTINGS)
    tokens = request.arrival.prompt_tokens
    return refuse_replica(request, tokens, state, cost, SETTINGS, NOW)


def fill(state: ReplicaState, requests: int, prompt: int = 10, *, started: bool = True) -> None:
    for n in range(requests):
        state.add(arrival(f"old{n}", prompt=prompt, output=10), prompt)
        if started:
            state.progress(f"old{n}", 1)


def dead(state: ReplicaState) -> None:
    state.is_alive = False


def broken(state: ReplicaState) -> None:
    state.breaker.on_end("x", Outcome.TARGET_FAILED, SETTINGS.circuit_breaker, NOW)


def idle(state: ReplicaState) -> None:
    state.take_report(report(), NOW)


def never_reported(state: ReplicaState) -> None:
    fill(state, 2)


def stale(state: ReplicaState) -> None:
    state.take_report(report(), NOW - 1.5)
    fill(state, 2)


def absurd(state: ReplicaState) -> None:
    idle(state)
    fill(state, 2)
    state.take_report(report(decode_step_s=float("nan")), NOW)


def slots_taken(state: ReplicaState) -> None:
    idle(state)
    fill(state, 8)


def slots_taken_by_others(state: ReplicaState) -> None:
    state.take_report(report(running=8), NOW)


def slots_taken_and_stale(state: ReplicaState) -> None:
    fill(state, 8)


def engine_queue(state: ReplicaState) -> None:
    state.take_report(report(running=1, waiting=1, prefill_waiting=2_001), NOW)


def about_to_be_scheduled(state: ReplicaState) -> None:
    state.take_report(report(running=1, waiting=1, prefill_waiting=2_000), NOW)


def a_batch_of_prompts_waits(state: ReplicaState) -> None:
    idle(state)
    fill(state, 1, prompt=2_000, started=False)


def prompts_wait_in_part(state: ReplicaState) -> None:
    idle(state)
    fill(state, 1, prompt=1_000, started=False)


def kv_taken(state: ReplicaState) -> None:
    idle(state)
    fill(state, 1, prompt=9_800)


def kv_just_fits(state: ReplicaState) -> None:
    idle(state)
    fill(state, 1, prompt=9_700)  # 10 and 150 more, and twice 51 for safety


def kv_taken_by_others(state: ReplicaState) -> None:
    state.take_report(report(running=1, kv=9_900), NOW)


@pytest.mark.parametrize(
    ("prepare", "refusal"),
    [
        (idle, None),
        (dead, Refusal.DEAD),
        (broken, Refusal.BREAKER_OPEN),
        (never_reported, Refusal.STALE_REPORT),
        (stale, Refusal.STALE_REPORT),
        (absurd, Refusal.STALE_REPORT),
        (slots_taken, Refusal.NO_SLOT),
        (slots_taken_by_others, Refusal.NO_SLOT),
        (slots_taken_and_stale, Refusal.NO_SLOT),
        (engine_queue, Refusal.ENGINE_QUEUE),
        (about_to_be_scheduled, None),
        (a_batch_of_prompts_waits, Refusal.ENGINE_QUEUE),
        (prompts_wait_in_part, None),
        (kv_taken, Refusal.NO_KV_ROOM),
        (kv_just_fits, None),
        (kv_taken_by_others, Refusal.NO_KV_ROOM),
    ],
)
def test_replica(prepare: Callable[[ReplicaState], None], refusal: Refusal | None) -> None:
    state = ReplicaState(replica())
    prepare(state)
    assert refusal_of(state, waiting()) is refusal


@pytest.mark.parametrize(("output_max", "refusal"), [(3_900, None), (3_901, Refusal.CONTEXT)])
def test_replica_context_counts_the_longest_answer(
    output_max: int, refusal: Refusal | None
) -> None:
    assert refusal_of(ReplicaState(replica()), waiting(100, output_max)) is refusal


def test_of_several_answers_one_must_fit_the_context() -> None:
    several = waiting(100, output_max=9_000, sequence_tokens=4_000)
    assert refusal_of(ReplicaState(replica()), several) is None


def test_a_failed_replica_is_excluded_in_that_boot_only() -> None:
    excluded = waiting(excluded=[replica().incarnation])
    assert refusal_of(ReplicaState(replica()), excluded) is Refusal.EXCLUDED
    assert refusal_of(ReplicaState(replica(generation=2)), excluded) is None


def test_an_idle_replica_takes_a_request_above_its_limits() -> None:
    state = ReplicaState(replica(kv=1_000, batched=500))
    assert refusal_of(state, waiting(prompt=2_000)) is None
    idle(state)
    assert refusal_of(state, waiting(prompt=2_000)) is None
    state.take_report(report(running=1, kv=10), NOW)
    assert refusal_of(state, waiting(prompt=2_000)) is Refusal.NO_KV_ROOM


def test_a_report_older_than_the_latest_dispatch_is_tolerated() -> None:
    state = ReplicaState(replica())
    idle(state)
    fill(state, 3, started=False)
    assert refusal_of(state, waiting()) is None


# Too late


def measured() -> StepCost:
    cost = StepCost.assumed(SETTINGS)
    cost.step_s, cost.prefill_token_s, cost.decode_token_s = 0.1, 0.001, 0.01
    cost.is_measured = True
    return cost


def test_the_first_token_comes_after_the_steps_that_prefill() -> None:
    """The step under way, one for each 2,000 tokens, and a hundredth for each that decodes."""
    state = ReplicaState(replica(batched=2_000))
    assert first_token_s(state, 500, measured()) == pytest.approx(2 * 0.1 + 0.5)
    assert first_token_s(state, 2_001, measured()) == pytest.approx(3 * 0.1 + 2.001)
    fill(state, 4, prompt=100, started=False)
    assert first_token_s(state, 500, measured()) == pytest.approx(2 * 0.14 + 0.9)


def test_who_can_go_elsewhere_is_not_sent_where_it_would_be_late() -> None:
    state, late = ReplicaState(replica()), waiting(prompt=1_900)  # 2.1 s of 2 s
    assert refusal_of(state, late, measured()) is None  # it cannot
    late.cost_nano = 5
    assert refusal_of(state, late, measured()) is Refusal.TOO_LATE
    assert refusal_of(state, late) is None  # who knows
    in_time = waiting(prompt=1_700)
    in_time.cost_nano = 5
    assert refusal_of(state, in_time, measured()) is None


def test_late_is_better_than_never() -> None:
    late = waiting(prompt=1_900)
    late.cost_nano, late.is_capped = 5, True
    assert refusal_of(ReplicaState(replica()), late, measured()) is None


def test_servable_is_who_needs_no_more_than_room() -> None:
    full, small = ReplicaState(replica("r1")), ReplicaState(replica("r2", context=200))
    slots_taken(full)
    pool = pool_of(full, small)
    assert is_servable(waiting(), pool, NOW)
    assert not is_servable(waiting(excluded=[replica().incarnation], output_max=101), pool, NOW)
    assert not is_servable(waiting(), pool_of(), NOW)


# Offers


def offer_refusal(state: OfferState, request: QueuedRequest, spent: int = 0) -> Refusal | None:
    budget = LocalBudget()
    budget.spending.on_buy("old", "tenant", spent, NOW)
    return refuse_offer(request, state, budget, SETTINGS, NOW)


def busy() -> OfferState:
    state = offer_state(in_flight_max=1)
    state.add(arrival("old"), NOW)
    return state


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (offer_state(), None),
        (offer_state(context=200), None),
        (offer_state(context=199), Refusal.CONTEXT),
        (offer_state(at=None), Refusal.PRICE_UNKNOWN),
        (offer_state(in_flight_max=0), Refusal.IN_FLIGHT_MAX),
        (busy(), Refusal.IN_FLIGHT_MAX),
        (offer_state(requests_per_min_max=0), Refusal.RATE_REQUESTS),
        (offer_state(tokens_per_min_max=200), None),
        (offer_state(tokens_per_min_max=199), Refusal.RATE_TOKENS),
        (offer_state(at=price(10_000_000, 1)), Refusal.SPEND_CAP),
    ],
)
def test_offer(state: OfferState, refusal: Refusal | None) -> None:
    assert offer_refusal(state, waiting()) is refusal


def test_caps_count_what_the_answer_may_cost_at_most() -> None:
    state = offer_state(at=price(0, 1_000))  # 1 nano-USD per token: 50 expected, 100 at most
    assert offer_refusal(state, waiting(), spent=900) is None
    assert offer_refusal(state, waiting(), spent=901) is Refusal.SPEND_CAP
    poor = waiting(output_max=101, tenant="poor")
    assert offer_refusal(state, poor) is Refusal.TENANT_BUDGET


def test_an_offer_that_eligibility_left_out_is_never_bought() -> None:
    for allowed in (frozenset[str](), frozenset({"vendor/other"})):
        pinned = waiting(offers=allowed)
        assert offer_refusal(offer_state(), pinned) is Refusal.NOT_ALLOWED
        assert not may_ever_buy(pinned, offer_state())
    free = waiting(offers=frozenset({"vendor/m"}))
    assert offer_refusal(offer_state(), free) is None
    assert may_ever_buy(free, offer_state())


def test_offer_excluded_or_broken() -> None:
    state, failed = offer_state(), Incarnation(at_offer("vendor/m"), None)
    assert offer_refusal(state, waiting(excluded=[failed])) is Refusal.EXCLUDED
    state.breaker.on_end("x", Outcome.TARGET_FAILED, SETTINGS.circuit_breaker, NOW)
    assert offer_refusal(state, waiting()) is Refusal.BREAKER_OPEN


def test_who_may_ever_buy_does_not_depend_on_the_moment() -> None:
    assert may_ever_buy(waiting(), busy())
    assert not may_ever_buy(waiting(), offer_state(at=None))
    assert not may_ever_buy(waiting(), offer_state(context=199))
