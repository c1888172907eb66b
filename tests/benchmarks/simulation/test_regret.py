"""The bid price against the clairvoyant, on the beginning of each public trace."""

from __future__ import annotations

import pytest

from benchmarks.simulation.baselines import POLICIES
from benchmarks.simulation.clairvoyant_bound import lp_bound
from benchmarks.simulation.forecast import Lengths
from benchmarks.simulation.outcome import Outcome, outcome_of
from benchmarks.simulation.profile import load_profile
from benchmarks.simulation.simulator import simulate
from benchmarks.simulation.traces import TraceFormat, read_trace
from benchmarks.simulation.workload import Workload, make_workload
from benchmarks.studies.optimality_gap import Cell, Compared
from tests.benchmarks.simulation.example_profile import DATA

PROFILE = load_profile("h200")
REPLICAS = 3
LOAD = 1.5


def beginning(name: str, trace_format: TraceFormat, ttft_ms: int, pinned: float) -> Workload:
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not beside this checkout")
    rows = read_trace(DATA / name, trace_format)[:4_000]
    return make_workload(
        rows, PROFILE, replicas=REPLICAS, load=LOAD, ttft_ms=ttft_ms, pinned_share=pinned
    )


def outcome(
    workload: Workload, bound_usd: float | None, policy: str, lengths: Lengths = "learned"
) -> Outcome:
    run = simulate(workload, PROFILE, replicas=REPLICAS, policy=POLICIES[policy](), lengths=lengths)
    return outcome_of(run, bound_usd)


@pytest.mark.parametrize(
    "name", ["AzureLLMInferenceTrace_conv.csv", "AzureLLMInferenceTrace_code.csv"]
)
def test_the_spend_stays_close_to_the_clairvoyant(name: str) -> None:
    workload = beginning(name, "azure", 2_000, 0.0)
    bound = lp_bound(workload, PROFILE, REPLICAS)
    pinned = beginning(name, "azure", 2_000, 0.3)
    cell = Cell(
        trace=name,
        load=LOAD,
        laps=1,
        requests=len(workload.requests),
        duration_s=workload.duration_s,
        three_offers=Compared(
            bound.usd,
            bound.seconds,
            {
                "learned": outcome(workload, bound.usd, "bid-price"),
                "told": outcome(workload, bound.usd, "bid-price", "told"),
                "first_come": outcome(workload, bound.usd, "first-come"),
                "pinned": outcome(pinned, None, "bid-price"),
            },
        ),
    )
    assert cell.misses() == []
    outcomes = cell.three_offers.outcomes
    assert (outcomes["learned"].preemptions, outcomes["told"].preemptions) == (0, 0)
    assert (bound.usd or 0) > 0


def test_long_prompts_keep_their_budget_and_cost_half_of_first_come() -> None:
    workload = beginning("conversation_trace.jsonl", "mooncake", 10_000, 0.0)
    ours = outcome(workload, None, "bid-price")
    first_come = outcome(workload, None, "first-come")
    assert (ours.slo_attainment or 0) >= 0.99
    assert ours.preemptions == 0
    assert ours.spend_usd <= 0.5 * first_come.spend_usd
    # A mistake in a single price would show: three offers, thirty times apart.
    assert 0 < ours.spend_usd < 0.2 * ours.buy_all_usd
