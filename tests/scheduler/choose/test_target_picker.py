from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.choose.target_picker import (
    CANDIDATES_MAX,
    best_replica,
    candidates,
    cheapest_offer,
    prefill_tokens,
    survey_replicas,
)
from scheduler.decision import Refusal, Verdict
from scheduler.pool.local_budget import LocalBudget
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.settings import Settings, SpillSettings
from tests.scheduler.given import (
    arrival,
    at_offer,
    local,
    offer_state,
    pool_of,
    price,
    replica,
    report,
)

SETTINGS = Settings(spill=SpillSettings(usd_per_hour_max="1"))
BLOCKS = tuple(range(10))  # of ten tokens each


def state(
    replica_id: str, requests: int = 0, prompt: int = 100, tok_s: float = 1_000.0
) -> ReplicaState:
    one = ReplicaState(replica(replica_id))
    for n in range(requests):
        one.add(arrival(f"{replica_id}-{n}", prompt=prompt), prompt)
    one.take_report(report(replica_id, running=requests, prefill_tok_s=tok_s), 0.0)
    return one


def waiting(prompt: int = 100, **more: object) -> QueuedRequest:
    return QueuedRequest(arrival(prompt=prompt, **more), 0.0)  # type: ignore[arg-type]


def warm() -> QueuedRequest:
    return waiting(blocks=BLOCKS, block_tokens=10)


def placed(request: QueuedRequest, pool: Pool) -> ReplicaState | None:
    return best_replica(request, candidates(request, pool), pool, SETTINGS, 0.0)[0]


# Replicas


def test_the_least_prefill_times_batch_wins() -> None:
    """3 requests of 10 tokens: (30 + 100) * 4; one of 400: (400 + 100) * 2."""
    many, large = state("a", 3, prompt=10), state("b", 1, prompt=400)
    assert placed(waiting(), pool_of(large, many)) is many
    assert placed(waiting(1_000), pool_of(large, many)) is large


def test_what_the_prefix_cache_holds_need_not_be_done() -> None:
    cold, holder = state("a", 1), state("b", 2)
    pool = pool_of(cold, holder)
    assert placed(warm(), pool) is cold
    pool.prefixes.sent("b", BLOCKS[:8], 0)
    assert prefill_tokens(warm(), holder, pool) == 20
    assert prefill_tokens(waiting(), holder, pool) == 100
    holder.progress("b-0", 1)
    holder.progress("b-1", 1)
    assert placed(warm(), pool) is holder  # 20 * 3 against 200 * 2


def test_a_known_prompt_still_takes_a_token_and_is_believed_as_far_as_it_is_trusted() -> None:
    holder = state("a")
    pool = pool_of(holder)
    pool.prefixes.sent("a", BLOCKS, 0)
    assert prefill_tokens(warm(), holder, pool) == 1
    pool.prefixes._caches["a"].trust.factor = 0.5
    assert prefill_tokens(warm(), holder, pool) == 50


def test_a_slow_first_measurement_does_not_starve_a_replica() -> None:
    fast, slow = state("a", 1, tok_s=9_000.0), state("b", 0, tok_s=10.0)
    assert placed(waiting(), pool_of(fast, slow)) is slow


def test_equal_work_goes_to_the_faster_card_then_to_the_smaller_name() -> None:
    slow, fast = state("a", tok_s=1_000.0), state("b", tok_s=4_000.0)
    assert placed(waiting(), pool_of(slow, fast)) is fast
    one, two = state("a"), state("b")
    assert placed(waiting(), pool_of(two, one)) is one
    assert placed(waiting(), pool_of(one, two)) is one


def test_requests_of_others_count_as_batch() -> None:
    busy, idle = state("a"), state("b")
    busy.take_report(report("a", running=3), 0.0)
    assert placed(waiting(), pool_of(busy, idle)) is idle


def test_the_full_leave_the_open_list_and_the_verdicts_say_why() -> None:
    full, cramped, idle = state("a", 8), state("b", 1, prompt=9_700), state("c")
    pool = pool_of(full, cramped, idle)
    found, verdicts = best_replica(waiting(), candidates(waiting(), pool), pool, SETTINGS, 0.0)
    assert found is idle
    findings = [
        Verdict(local("a"), Refusal.NO_SLOT),
        Verdict(local("b"), Refusal.ENGINE_QUEUE),  # more prompt than a step takes in
        Verdict(local("c"), None),
    ]
    assert verdicts == findings
    assert pool.open == [idle, cramped] or pool.open == [cramped, idle]
    assert survey_replicas(waiting(), pool, SETTINGS, 0.0) == findings


def test_no_replica_no_place() -> None:
    assert best_replica(waiting(), [], pool_of(), SETTINGS, 0.0) == (None, [])


def test_of_many_replicas_some_are_looked_at_and_the_holders_of_the_prefix_always() -> None:
    pool = pool_of(*(state(f"r{n:03}") for n in range(3 * CANDIDATES_MAX)))
    pool.prefixes.sent("r050", BLOCKS, 0)
    request = warm()
    request.hits = pool.prefixes.hits(BLOCKS)
    for _ in range(4):
        assert len(list(candidates(waiting(), pool))) == CANDIDATES_MAX
        assert len(list(candidates(request, pool))) <= CANDIDATES_MAX + 1
        assert placed(request, pool) is pool.replicas["r050"]


# Offers


def bought(request: QueuedRequest, *offers: OfferState) -> OfferState | None:
    return cheapest_offer(request, pool_of(offers=offers), LocalBudget(), SETTINGS, 0.0)[0]


def test_the_cheapest_offer_depends_on_the_expected_answer() -> None:
    cheap_in = offer_state("in", at=price(1_000, 9_000))
    cheap_out = offer_state("out", at=price(2_000, 3_000))
    assert bought(waiting(1_000, output=10), cheap_out, cheap_in) is cheap_in
    assert bought(waiting(10, output=90), cheap_out, cheap_in) is cheap_out


def test_an_ineligible_or_unpriced_offer_is_never_the_cheapest() -> None:
    unpriced = offer_state("a", at=None)
    full = offer_state("b", at=price(1, 1), in_flight_max=0)
    fits = offer_state("c", at=price(9_000, 9_000))
    pool = pool_of(offers=[unpriced, full, fits])
    found, verdicts = cheapest_offer(waiting(), pool, LocalBudget(), SETTINGS, 0.0)
    assert found is fits
    assert verdicts == [
        Verdict(at_offer("a"), Refusal.PRICE_UNKNOWN),
        Verdict(at_offer("b"), Refusal.IN_FLIGHT_MAX),
        Verdict(at_offer("c"), None),
    ]
    assert bought(waiting(), unpriced, full) is None


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_equal_prices_go_to_the_smaller_name(order: tuple[str, str]) -> None:
    found = bought(waiting(), *(offer_state(name) for name in order))
    assert found is not None
    assert found.offer.offer_id == "a"


@given(st.integers(1, 3_900), st.integers(0, 3), st.floats(0.0, 10.0))
def test_one_whose_purchase_was_capped_is_too_late_nowhere(
    prompt: int, requests: int, now: float
) -> None:
    """So that admission need not ask whether it was capped, where a replica would be too late."""
    pool = pool_of(state("a", requests), state("b"))
    pool.cost.is_measured = True
    request = waiting(prompt)
    request.cost_nano, request.is_capped = 5, True
    _, verdicts = best_replica(request, list(pool.open), pool, SETTINGS, now)
    assert Refusal.TOO_LATE not in {verdict.refusal for verdict in verdicts}
    request.is_capped = False
    _, verdicts = best_replica(request, list(pool.open), pool, SETTINGS, now + 100.0)
    assert Refusal.TOO_LATE in {verdict.refusal for verdict in verdicts}
