from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.arrivals import synthetic_rows
from benchmarks.simulation.offers import make_offer
from benchmarks.simulation.scaling import Scaling
from benchmarks.simulation.traces import TraceFormat, TraceRow, read_trace
from benchmarks.simulation.workload import DEFAULT_OFFERS, Request, Workload, make_workload
from tests.benchmarks.simulation.example_profile import DATA, PROFILE

ROWS = synthetic_rows("poisson", 3_000, 2.0, seed=1)


def build(rows: list[TraceRow] = ROWS, **options: Any) -> Workload:
    arguments: dict[str, Any] = {"replicas": 8, "load": 1.5, "ttft_ms": 2_000}
    return make_workload(rows, PROFILE, **(arguments | options))


def by_id(workload: Workload) -> dict[str, Request]:
    return {request.request_id: request for request in workload.requests}


@given(
    st.integers(1, 50),
    st.floats(0.05, 5),
    st.sampled_from(["fold", "compress"]),
    st.floats(0, 1),
    st.integers(0, 1_000),
)
def test_the_load_is_what_was_asked_for(
    replicas: int, load: float, scaling: Scaling, warm_share: float, seed: int
) -> None:
    rows = ROWS[:400]
    workload = build(
        rows, replicas=replicas, load=load, scaling=scaling, warm_share=warm_share, seed=seed
    )
    longest_s = max(PROFILE.work_s(row.prompt_tokens, row.prompt_tokens, 4_096) for row in rows)
    left_out = scaling == "fold" and workload.scale < 1
    slack = longest_s / (workload.duration_s * replicas) if left_out else 1e-6 * load
    # Rows that are left out may have been the first to bring a block that others then share.
    cold = 0.1 * load if left_out else 0.0
    assert abs(workload.load(PROFILE, replicas) - load) <= slack + cold
    assert workload.requests == tuple(sorted(workload.requests, key=lambda r: r.at_s))
    assert len(workload.requests) == len(rows) or left_out


def test_lengths_are_the_traces_own() -> None:
    requests = by_id(build())
    assert len(requests) == len(ROWS)
    for index, row in enumerate(ROWS):
        request = requests[f"r{index}"]
        assert (request.prompt_tokens, request.output_tokens) == (
            row.prompt_tokens,
            row.output_tokens,
        )
        assert request.ttft_budget_ms == 2_000
        assert request.deadline_s is None
        assert request.tenant == "default"


def test_the_length_limit_is_one_power_of_two_for_all() -> None:
    rows = [TraceRow(0.0, 10, 5), TraceRow(1.0, 10, 1_000)]
    assert {r.max_output_tokens for r in build(rows).requests} == {1_024}
    rows[1] = replace(rows[1], output_tokens=1_024)
    assert {r.max_output_tokens for r in build(rows).requests} == {1_024}
    rows[1] = replace(rows[1], output_tokens=1_025)
    assert {r.max_output_tokens for r in build(rows).requests} == {2_048}


def test_the_length_limit_fits_the_context() -> None:
    rows = [TraceRow(0.0, PROFILE.context_tokens_max - 3, 2), TraceRow(1.0, 10, 1_000)]
    limits = [request.max_output_tokens for request in build(rows, load=0.001).requests]
    assert set(limits) <= {3, 1_024}
    rows[0] = replace(rows[0], output_tokens=4)
    with pytest.raises(ValueError, match=r"request 1 needs 131073 tokens.*holds 131072"):
        build(rows)


def test_offers_are_drawn_evenly_and_apart_from_lengths() -> None:
    requests = build().requests
    counts = Counter(request.offer_ids for request in requests)
    assert set(counts) == {(offer.offer_id,) for offer in DEFAULT_OFFERS}
    assert min(counts.values()) > 900
    other = [replace(row, output_tokens=1 + index % 3) for index, row in enumerate(ROWS)]
    drawn = by_id(build(other))
    assert all(drawn[request.request_id].offer_ids == request.offer_ids for request in requests)


def test_pinned_requests_have_no_offer_and_the_rest_keep_theirs() -> None:
    free, some = by_id(build()), by_id(build(pinned_share=0.3))
    pinned = [key for key, request in some.items() if not request.offer_ids]
    assert len(pinned) == pytest.approx(900, abs=90)
    assert all(
        some[key] == replace(free[key], offer_ids=() if key in set(pinned) else free[key].offer_ids)
        for key in free
    )


def test_batch_requests_have_a_deadline_instead_of_a_first_token_budget() -> None:
    workload = build(batch_share=0.2, batch_deadline_s=3_600.0)
    batch = [request for request in workload.requests if request.deadline_s is not None]
    assert len(batch) == pytest.approx(600, abs=80)
    assert all(request.deadline_s == request.at_s + 3_600 for request in batch)
    assert {request.ttft_budget_ms for request in batch} == {3_600_000}
    others = {r.ttft_budget_ms for r in workload.requests if r.deadline_s is None}
    assert others == {2_000}


def test_tenants_are_of_unequal_size() -> None:
    counts = Counter(request.tenant for request in build(tenants=4).requests)
    assert counts["tenant-1"] == pytest.approx(3_000 * 12 / 25, rel=0.1)
    assert counts["tenant-4"] == pytest.approx(3_000 * 3 / 25, rel=0.2)


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("pinned_share", 0.5, "offer_ids"),
        ("batch_share", 0.5, "deadline_s"),
        ("tenants", 9, "tenant"),
        ("warm_share", 1.0, "blocks"),
        ("offers", (make_offer("1"),), "offer_ids"),
    ],
)
def test_an_option_changes_its_own_field_only(option: str, value: Any, field: str) -> None:
    # Warmth changes the work and so the times; batch requests have their own first-token budget.
    before, after = by_id(build()), by_id(build(**{option: value}))
    ignored: dict[str, Any] = {field: None, "at_s": 0.0, "ttft_budget_ms": 0}
    assert any(getattr(before[key], field) != getattr(after[key], field) for key in before)
    assert all(replace(before[k], **ignored) == replace(after[k], **ignored) for k in before)


def test_a_request_is_the_same_at_every_load() -> None:
    low, high = by_id(build(load=0.2)), by_id(build(load=3.0))
    assert 0 < len(low) <= len(high)
    assert all(replace(low[key], at_s=0.0) == replace(high[key], at_s=0.0) for key in low)


def test_the_same_seed_gives_the_same_workload() -> None:
    assert build(seed=5) == build(seed=5)
    assert build(seed=5) != build(seed=6)


def test_warm_tokens_leave_something_to_prefill() -> None:
    workload = build(warm_share=1.0)
    warm = workload.warm_tokens()
    assert all(
        0 <= tokens < request.prompt_tokens
        for tokens, request in zip(warm, workload.requests, strict=True)
    )
    assert sum(warm) > 0.4 * sum(request.prompt_tokens for request in workload.requests)


def test_the_traces_own_prefixes_are_used_on_demand() -> None:
    rows = [TraceRow(float(n), 1_100, 3, (7, 100 + n)) for n in range(20)]
    own = build(rows, prefixes="trace", load=0.1)
    assert own.block_tokens == 512
    assert {request.blocks[0] for request in own.requests} == {7}
    assert sum(own.warm_tokens()) == (len(own.requests) - 1) * 512
    assert all(7 not in request.blocks for request in build(rows, load=0.1).requests)
    with pytest.raises(ValueError, match="no prefix blocks"):
        build(prefixes="trace")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"replicas": 0}, "replicas"),
        ({"load": 0.0}, "load"),
        ({"load": float("nan")}, "load"),
        ({"ttft_ms": 0}, "TTFT"),
        ({"tenants": 0}, "tenants"),
        ({"prefix_groups": 0}, "prefix groups"),
        ({"warm_share": 1.1}, "warm share"),
        ({"pinned_share": -0.1}, "pinned share"),
        ({"batch_share": float("nan")}, "batch share"),
        ({"batch_deadline_s": float("inf")}, "batch_deadline_s"),
        ({"offers": ()}, "offers"),
        ({"offers": (make_offer("1"), make_offer("1"))}, "different names"),
        ({"prefixes": "none"}, "unknown prefixes"),
        ({"scaling": "none"}, "unknown scaling"),
        ({"rows": []}, "at least two"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        build(**options)


@pytest.mark.parametrize(
    ("name", "trace_format"),
    [
        ("AzureLLMInferenceTrace_conv.csv", "azure"),
        ("AzureLLMInferenceTrace_code.csv", "azure"),
        ("conversation_trace.jsonl", "mooncake"),
    ],
)
def test_public_traces_reach_the_load_with_a_third_warm(
    name: str, trace_format: TraceFormat
) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not on this machine")
    rows = read_trace(DATA / name, trace_format)
    workload = build(rows, load=3.0)
    assert workload.load(PROFILE, 8) == pytest.approx(3.0)
    assert len(workload.requests) == len(rows)
    warm = sum(tokens > 0 for tokens in workload.warm_tokens())
    assert warm / len(rows) == pytest.approx(1 / 3, abs=0.01)
