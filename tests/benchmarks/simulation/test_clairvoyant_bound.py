from __future__ import annotations

from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulation import clairvoyant_bound as bound_file
from benchmarks.simulation.bound_demand import COLUMNS_MAX
from benchmarks.simulation.clairvoyant_bound import REQUESTS_MAX, lp_bound
from benchmarks.simulation.offers import make_offer
from benchmarks.simulation.workload import DEFAULT_OFFERS, Workload
from models.money import NANO_PER_USD
from tests.benchmarks.simulation.best_schedule import (
    PROFILE,
    charge_nano,
    cheapest_nano,
    random_instance,
    request_of,
    stretched_instance,
    usd_of,
    workload_of,
)

INSTANCES = 200
SLOT_S = 0.03
CLOSE = 1e-6


def test_no_schedule_costs_less_than_the_bound() -> None:
    ratios = []
    for seed in range(INSTANCES):
        instance = random_instance(seed)
        best_usd = cheapest_nano(instance) / NANO_PER_USD
        bound = lp_bound(instance.workload, instance.profile, instance.replicas, SLOT_S)
        assert usd_of(bound) <= best_usd * (1 + 1e-12), f"seed {seed}"
        if best_usd > 0:
            ratios.append(usd_of(bound) / best_usd)
    print(
        f"{len(ratios)} of {INSTANCES} must buy; bound to best: mean {mean(ratios):.3f}, "
        f"highest {max(ratios):.3f}, above 0 in {sum(ratio > 0 for ratio in ratios)}"
    )
    assert len(ratios) > INSTANCES / 2
    assert sum(ratio > 0 for ratio in ratios) > len(ratios) / 2


def test_no_schedule_that_stretches_answers_costs_less(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for seed in range(INSTANCES // 2):
        instance = stretched_instance(seed)
        best_usd = cheapest_nano(instance) / NANO_PER_USD
        bound = lp_bound(instance.workload, instance.profile, instance.replicas, SLOT_S)
        assert usd_of(bound) <= best_usd * (1 + 1e-12), f"seed {seed}"
        found.append((instance, bound))
    monkeypatch.setattr(bound_file, "add_pace", lambda *_: None)
    higher = [
        usd_of(bound)
        > usd_of(lp_bound(one.workload, one.profile, one.replicas, SLOT_S)) * 1.01 + 1e-12
        for one, bound in found
    ]
    print(f"higher by the pace in {sum(higher)} of {len(higher)}")
    assert sum(higher) > len(higher) / 4


def test_time_limits_what_is_read_before_the_deadline() -> None:
    requests = [request_of(f"r{index}", output_tokens=1) for index in range(5)]
    price_usd = charge_nano(requests[0]) / NANO_PER_USD
    for replicas, bought in ((1, 2.0), (2, 0.0)):
        bound = lp_bound(workload_of(requests), PROFILE, replicas)
        assert usd_of(bound) == pytest.approx(bought * price_usd, rel=CLOSE, abs=price_usd * CLOSE)
        assert usd_of(bound) == pytest.approx(bound.solver_usd, abs=price_usd * CLOSE)
        assert bound.buy_all_usd == pytest.approx(5 * price_usd)


ROOMY = replace(
    PROFILE,
    prefill_tok_s=1e9,
    step_fixed_s=0.09,
    step_request_s=0.01,
    step_kv_token_s=0.0,
    context_tokens_max=110,
)


def test_slots_limit_who_has_begun_at_the_deadline() -> None:
    """Of two tokens one is decoded, in 0.1 s: three are done by 0.3 s and one has just begun."""
    requests = [request_of(f"r{index}", output_tokens=2) for index in range(7)]
    price_usd = charge_nano(requests[0]) / NANO_PER_USD
    bound = lp_bound(workload_of(requests), replace(ROOMY, running_max=1), 1)
    assert usd_of(bound) == pytest.approx(3 * price_usd, rel=1e-4)


def test_kv_limits_who_has_begun_at_the_deadline() -> None:
    """The one decoded token holds 101 of 199 KV tokens, and takes as much of the fixed time."""
    requests = [request_of(f"r{index}", output_tokens=2) for index in range(9)]
    price_usd = charge_nano(requests[0]) / NANO_PER_USD
    bound = lp_bound(workload_of(requests), replace(ROOMY, kv_tokens_max=199), 1)
    done, begun = 0.3 / (0.01 + 0.09 * 101 / 199), 199 / 100
    assert usd_of(bound) == pytest.approx((9 - done - begun) * price_usd, rel=1e-4)


def test_decoding_is_not_put_off() -> None:
    """The stream fills all time but 0.3 s at its end. The long answer's request decodes some 50
    tokens in it, at 0.01 s each, for no step is longer than 0.21 s."""
    profile = replace(
        ROOMY, prefill_tok_s=1_000.0, step_fixed_s=0.0, kv_tokens_max=1_000, running_max=8
    )
    long = request_of(
        "long", prompt_tokens=10, output_tokens=60, offer_ids=(DEFAULT_OFFERS[-1].offer_id,)
    )
    stream = [request_of(f"r{index}", at_s=0.1 * index, output_tokens=1) for index in range(110)]
    price_usd = charge_nano(stream[0]) / NANO_PER_USD
    assert usd_of(lp_bound(workload_of(stream), profile, 1, 0.1)) == pytest.approx(0, abs=1e-12)
    assert usd_of(lp_bound(workload_of([long, *stream]), profile, 1, 0.1)) > 1.5 * price_usd


def test_a_prompt_that_no_replica_reads_in_time_is_bought() -> None:
    late = request_of("late", prompt_tokens=295, output_tokens=1, ttft_budget_ms=300)
    price_usd = charge_nano(late) / NANO_PER_USD
    assert usd_of(lp_bound(workload_of([late]), PROFILE, 8)) == pytest.approx(price_usd)
    in_time = replace(late, ttft_budget_ms=330)
    assert usd_of(lp_bound(workload_of([in_time]), PROFILE, 8)) == pytest.approx(0, abs=1e-12)


def test_a_prefix_may_be_warm_if_another_came_before_the_deadline() -> None:
    long = request_of("long", prompt_tokens=295, output_tokens=1, blocks=(1, 2, 3))
    other = request_of("other", prompt_tokens=60, output_tokens=1, blocks=(1, 2, 3), at_s=0.2)
    price_usd = charge_nano(long) / NANO_PER_USD
    assert usd_of(lp_bound(workload_of([long, other]), PROFILE, 8)) == pytest.approx(0, abs=1e-12)
    later = replace(other, at_s=0.4)
    assert usd_of(lp_bound(workload_of([long, later]), PROFILE, 8)) == pytest.approx(price_usd)


def test_what_may_not_be_bought_is_charged_at_the_dearest_offer() -> None:
    pinned = request_of("pinned", prompt_tokens=295, output_tokens=1, offer_ids=())
    dearest = replace(pinned, offer_ids=(DEFAULT_OFFERS[-1].offer_id,))
    bounds = [usd_of(lp_bound(workload_of([one]), PROFILE, 1)) for one in (pinned, dearest)]
    assert bounds[0] == bounds[1] > 0


def test_batch_work_waits_until_its_deadline() -> None:
    batch = [
        request_of(f"b{index}", output_tokens=1, ttft_budget_ms=9_000, deadline_s=1.0)
        for index in range(8)
    ]
    online = [request_of(f"r{index}", output_tokens=1) for index in range(3)]
    price_usd = charge_nano(batch[0]) / NANO_PER_USD
    bound = lp_bound(workload_of([*batch, *online]), PROFILE, 1)
    assert usd_of(bound) == pytest.approx(1 * price_usd, rel=1e-3)
    assert usd_of(lp_bound(workload_of(batch), PROFILE, 1)) == pytest.approx(0, abs=1e-12)
    short = [replace(one, deadline_s=0.5) for one in batch]
    assert usd_of(lp_bound(workload_of(short), PROFILE, 1)) == pytest.approx(
        3 * price_usd, rel=1e-3
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from((1.0, 1.3, 2.0)))
def test_more_replicas_or_longer_budgets_never_raise_the_bound(
    seed: int, more: int, longer: float
) -> None:
    instance = random_instance(seed)
    workload, profile, replicas = instance.workload, instance.profile, instance.replicas
    usd = usd_of(lp_bound(workload, profile, replicas, SLOT_S))
    relaxed = replace(
        workload,
        requests=tuple(
            replace(request, ttft_budget_ms=int(request.ttft_budget_ms * longer))
            for request in workload.requests
        ),
    )
    bound = lp_bound(relaxed, profile, replicas + more - 1, SLOT_S)
    assert usd_of(bound) <= usd + CLOSE * bound.buy_all_usd


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_higher_prices_never_lower_the_bound(seed: int, factors: list[int]) -> None:
    instance = random_instance(seed)
    before = lp_bound(instance.workload, instance.profile, instance.replicas, SLOT_S)
    dearer = tuple(
        make_offer(usd, offer_id=offer.offer_id)
        for offer, factor in zip(DEFAULT_OFFERS, factors, strict=True)
        for usd in [str(offer.price.output_pico * factor / 1e6)]
    )
    workload = replace(instance.workload, offers=dearer)
    after = lp_bound(workload, instance.profile, instance.replicas, SLOT_S)
    assert usd_of(after) >= usd_of(before) - CLOSE * after.buy_all_usd


def test_a_long_run_is_cut_into_longer_slots() -> None:
    far = [
        request_of(f"r{index}", at_s=80.0 * (index // 3), output_tokens=1, ttft_budget_ms=200)
        for index in range(300)
    ]
    bound = lp_bound(workload_of(far), PROFILE, 1)
    assert bound.slot_s > 0.2 / 4
    assert bound.slots <= COLUMNS_MAX
    assert usd_of(bound) == pytest.approx(bound.buy_all_usd / 3, rel=1e-2)


@pytest.mark.parametrize(
    ("count", "replicas", "slot_s"),
    [(0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.0), (1, 1, float("nan")), (REQUESTS_MAX + 1, 1, 1.0)],
)
def test_what_it_cannot_bound_is_refused(count: int, replicas: int, slot_s: float) -> None:
    workload = Workload((request_of("r"),) * count, DEFAULT_OFFERS, 1, 1.0)
    with pytest.raises(ValueError, match=r"replicas|requests"):
        lp_bound(workload, PROFILE, replicas, slot_s)
