from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from random import Random
from typing import Any

import pytest

from scheduler.pool.step_cost import SAMPLE_S, SAMPLE_S_MAX, TOKENS_PER_SAMPLE_MAX, StepCost
from scheduler.settings import AdmissionSettings, Settings
from tests.scheduler.given import arrival, replica, report

SETTINGS = Settings(
    admission=AdmissionSettings(prefill_tok_s_assumed=1_000.0, decode_step_s_assumed=0.1)
)
TRUE = (0.012, 0.00005, 0.0002)  # per step, per prefilled and per decoded token


def simulated(samples: int, noise: float = 0.0) -> StepCost:
    """What an engine with these costs would count under changing load."""
    chance, cost, before = Random(1), StepCost.assumed(SETTINGS), report()
    for _ in range(samples):
        steps, prefilled, decoded, busy_s = 0, 0, 0, 0.0
        running, prompts = chance.randint(1, 60), chance.random()
        while busy_s < SAMPLE_S:
            tokens = chance.choice([0, 500, 2_000]) if chance.random() < prompts else 0
            step_s = TRUE[0] + TRUE[1] * tokens + TRUE[2] * running
            steps, prefilled, decoded = steps + 1, prefilled + tokens, decoded + running
            busy_s += step_s * (1 + chance.gauss(0, noise))
        after = replace(
            before,
            busy_s=before.busy_s + busy_s,
            steps=before.steps + steps,
            prefilled_tokens=before.prefilled_tokens + prefilled,
            decoded_tokens=before.decoded_tokens + decoded,
        )
        cost.learn(before, after)
        before = after
    return cost


def costs(cost: StepCost) -> tuple[float, float, float]:
    return cost.step_s, cost.prefill_token_s, cost.decode_token_s


def test_at_first_the_rates_are_assumed() -> None:
    cost = StepCost.assumed(SETTINGS)
    assert costs(cost) == (0.1, 0.001, 0.0)
    assert not cost.is_measured
    fast = AdmissionSettings(prefill_tok_s_assumed=500.0, decode_step_s_assumed=0.25)
    assert costs(StepCost.assumed(Settings(admission=fast))) == (0.25, 0.002, 0.0)


@pytest.mark.parametrize(("noise", "error"), [(0.0, 0.02), (0.2, 0.25)])
def test_learns_what_an_engine_costs(noise: float, error: float) -> None:
    cost = simulated(150, noise)
    assert cost.is_measured
    assert costs(cost) == pytest.approx(TRUE, rel=error)


def test_ten_samples_give_the_order_of_magnitude() -> None:
    assert costs(simulated(10)) == pytest.approx(TRUE, rel=0.5)


ABSURD: list[dict[str, Any]] = [
    {"busy_s": 0.0},
    {"busy_s": -1.0},
    {"busy_s": nan},
    {"busy_s": inf},
    {"busy_s": SAMPLE_S_MAX},
    {"busy_s": 1e300},
    {"steps": -1},
    {"prefilled_tokens": -1},
    {"decoded_tokens": -1},
    {"decoded_tokens": nan},
    {"steps": 0, "prefilled_tokens": 0, "decoded_tokens": 0},
    {"prefilled_tokens": int(TOKENS_PER_SAMPLE_MAX)},
]


@pytest.mark.parametrize("change", ABSURD, ids=str)
def test_absurd_counters_are_ignored(change: dict[str, Any]) -> None:
    cost = StepCost.assumed(SETTINGS)
    good = report(busy_s=2.0, steps=50, prefilled_tokens=10, decoded_tokens=100)
    cost.learn(report(), replace(good, **change))
    assert costs(cost) == (0.1, 0.001, 0.0)
    assert not cost.is_measured
    cost.learn(report(), good)
    assert cost.is_measured


def test_work_is_prefill_and_a_share_of_the_steps() -> None:
    cost = StepCost.assumed(SETTINGS)
    engine = replica(kv=10_000, max_num_seqs=8)
    slot_bound = arrival(prompt=100, output=50)  # an eighth of a batch; of the KV, a hundredth
    assert cost.work_s(slot_bound, 0, engine.limits) == pytest.approx(0.1 + 50 * 0.1 / 8)
    assert cost.work_s(slot_bound, 60, engine.limits) == pytest.approx(0.04 + 50 * 0.1 / 8)
    assert cost.work_s(slot_bound, 999, engine.limits) == pytest.approx(0.001 + 50 * 0.1 / 8)
    kv_bound = arrival(prompt=4_975, output=50)
    assert cost.work_s(kv_bound, 0, engine.limits) == pytest.approx(4.975 + 50 * 0.1 / 2)
    beyond = arrival(prompt=40_000, output=50)
    assert cost.work_s(beyond, 0, engine.limits) == pytest.approx(40.0 + 50 * 0.1)


def test_a_long_sample_weighs_no_more_than_a_short_one() -> None:
    """Errors are relative: 200 busy seconds at 20 ms a step beside one second at 10 ms."""
    cost = StepCost.assumed(SETTINGS)
    for _ in range(200):
        cost.learn(report(), report(busy_s=1.0, steps=100))
        cost.learn(report(), report(busy_s=200.0, steps=10_000))
    # The least sum of (100 x - 1)^2 and (50 x - 1)^2 lies at 0.012.
    assert cost.step_s == pytest.approx(0.012, rel=0.1)
