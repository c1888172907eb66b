from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, inf, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.arrival import Arrival
from scheduler.learned.lengths import LengthCurve
from scheduler.pool.replica_state import SAFETY_DEVIATIONS, ReplicaState, is_plausible
from scheduler.replica import LoadReport
from scheduler.settings import AdmissionSettings, Settings
from tests.scheduler.given import arrival, changed, replica, report
from tests.scheduler.sums import assert_state_sums

SETTINGS = Settings(
    admission=AdmissionSettings(kv_headroom=0.1, ramp_requests=2, report_age_ms_max=1_000)
)


def booked(*requests: Arrival, kv: int = 10_000, max_num_seqs: int = 8) -> ReplicaState:
    state = ReplicaState(replica(kv=kv, max_num_seqs=max_num_seqs))
    for request in requests:
        state.add(request, request.prompt_tokens)
    return state


def test_a_request_reserves_its_prompt_and_its_expected_answer() -> None:
    state = ReplicaState(replica(kv=1_000))
    state.add(arrival(prompt=100, output=50, output_max=200), prefill_tokens=30)
    assert (state.kv_tokens_reserved, state.prefill_tokens_waiting) == (150, 30)


def test_the_expected_answer_lies_between_one_and_what_is_allowed() -> None:
    assert booked(arrival(prompt=10, output=500, output_max=20)).kv_tokens_reserved == 30
    assert booked(arrival(prompt=10, output=0, output_max=20)).kv_tokens_reserved == 11


def test_the_first_token_ends_the_prefill() -> None:
    state = booked(arrival())
    state.progress("q1", 0)
    assert state.prefill_tokens_waiting == 100
    state.progress("q1", 1)
    assert state.prefill_tokens_waiting == 0


def test_an_answer_that_outlives_its_expectation_doubles_it_up_to_the_limit() -> None:
    state, reserved = booked(arrival(prompt=100, output=50, output_max=150)), []
    for tokens in (49, 50, 99, 100, 150, 9_999, 3):
        state.progress("q1", tokens)
        reserved.append(state.kv_tokens_reserved)
    assert reserved == [150, 200, 200, 250, 250, 250, 250]
    assert state.streamed_tokens == 150


def test_a_length_curve_refines_the_expectation_at_each_doubling() -> None:
    """Also downwards: what the curve says of an answer that goes on is better than a guess."""
    told = arrival(prompt=0, output=400, output_max=900, lengths=LengthCurve.exactly(60))
    state, expected = booked(told), []
    for tokens in (1, 15, 16, 31, 59, 60, 119, 120, 500, 900):
        state.progress("q1", tokens)
        expected.append(state.kv_tokens_reserved)
    assert expected == [400, 400, 60, 60, 60, 120, 120, 240, 900, 900]


TOKENS = st.integers(0, 300)
CURVES = st.sampled_from([None, LengthCurve.exactly(90), LengthCurve.assumed(40.0)])


@given(st.data())
def test_the_sums_equal_the_sum_of_the_parts(data: st.DataObject) -> None:
    state = ReplicaState(replica())
    for n in range(data.draw(st.integers(1, 30))):
        step = data.draw(st.sampled_from(["add", "progress", "remove"]))
        if step == "add" or not state.entries:
            prompt, output, most, prefill = data.draw(st.tuples(TOKENS, TOKENS, TOKENS, TOKENS))
            lengths = data.draw(CURVES)
            request = arrival(
                str(n), prompt=prompt, output=output, output_max=most, lengths=lengths
            )
            state.add(request, prefill)
        elif step == "progress":
            state.progress(data.draw(st.sampled_from(sorted(state.entries))), data.draw(TOKENS))
        else:
            state.remove(data.draw(st.sampled_from(sorted(state.entries))))
        assert_state_sums(state)
    for request_id in list(state.entries):
        state.remove(request_id)
    assert state.kv_tokens_reserved == state.streamed_tokens == state.prefill_tokens_waiting == 0
    assert state.output_squares == 0


# The future peak


BATCH = st.lists(st.tuples(TOKENS, st.integers(1, 80), st.integers(0, 80)), max_size=8)


def peak_token_by_token(state: ReplicaState, prompt: int, output: int) -> int:
    """Let all that run stream a token a step, each until it ends; the most that was ever held."""
    batch = [
        [entry.prompt_tokens + entry.streamed_tokens, entry.output_tokens - entry.streamed_tokens]
        for entry in state.entries.values()
    ]
    batch.append([prompt, output])
    peak = 0
    while batch:
        peak = max(peak, sum(held for held, _ in batch))
        batch = [[held + 1, left - 1] for held, left in batch if left > 0]
    return peak


@given(BATCH, TOKENS, st.integers(1, 80))
def test_the_peak_is_that_of_a_simulation(
    batch: list[tuple[int, int, int]], prompt: int, output: int
) -> None:
    state = ReplicaState(replica())
    for n, (held, expected, streamed) in enumerate(batch):
        state.add(arrival(str(n), prompt=held, output=expected, output_max=expected), held)
        state.progress(str(n), streamed)
    peak = peak_token_by_token(state, prompt, output)
    assert state._peak(prompt, output) == peak
    safety = SAFETY_DEVIATIONS * sqrt(state.output_squares + output**2)
    settings = Settings(admission=AdmissionSettings(kv_headroom=1e-12))
    for room, fits in ((peak + ceil(safety) + 2, True), (peak + floor(safety) - 2, False)):
        state.replica = replica(kv=max(1, room))
        assert state.has_kv_room(prompt, output, settings, is_fresh=True) is fits


def test_requests_that_end_one_after_another_share_room() -> None:
    """Their sum would not fit, but their common peak does."""
    settings = Settings(admission=AdmissionSettings(kv_headroom=0.0))
    state = booked(*(arrival(f"q{n}", prompt=0, output=500, output_max=500) for n in range(4)))
    for n, streamed in enumerate((100, 200, 300, 400)):
        state.progress(f"q{n}", streamed)
    safety = int(SAFETY_DEVIATIONS * sqrt(5 * 500**2))
    peak = peak_token_by_token(state, 0, 500)
    assert peak < state.kv_tokens_reserved + 500
    state.replica = replica(kv=peak + safety)
    assert state.has_kv_room(0, 500, settings, is_fresh=True)
    state.replica = replica(kv=peak + safety - 1)
    assert not state.has_kv_room(0, 500, settings, is_fresh=True)


def test_headroom_and_the_work_of_others_take_room() -> None:
    state = booked(kv=1_000)
    safety = int(SAFETY_DEVIATIONS * 50)
    assert state.has_kv_room(1_000 - 100 - 50 - safety, 50, SETTINGS, is_fresh=True)
    assert not state.has_kv_room(1_000 - 100 - 49 - safety, 50, SETTINGS, is_fresh=True)
    state.take_report(report(running=1, kv=300), 0.0)
    assert state.has_kv_room(1_000 - 400 - 50 - safety, 50, SETTINGS, is_fresh=True)
    assert not state.has_kv_room(1_000 - 400 - 49 - safety, 50, SETTINGS, is_fresh=True)
    assert state.has_kv_room(1_000 - 400 - 49 - safety, 50, SETTINGS, is_fresh=False)


# Reports


ABSURD = [
    {"running": -1},
    {"running": 9},
    {"running": nan},
    {"waiting": -1},
    {"waiting": nan},
    {"kv_tokens_used": -1},
    {"kv_tokens_used": 10_001},
    {"kv_tokens_used": nan},
    {"waiting_prefill_tokens": -1},
    {"prefill_tok_s": nan},
    {"prefill_tok_s": inf},
    {"prefill_tok_s": 0.0},
    {"prefill_tok_s": -1.0},
    {"decode_step_s": nan},
    {"decode_step_s": inf},
    {"decode_step_s": 0.0},
    {"decode_step_s": 3_600.0},
]


@pytest.mark.parametrize("change", ABSURD, ids=str)
def test_absurd_reports_are_recognised(change: dict[str, float]) -> None:
    assert is_plausible(report(), replica().limits)
    absurd: LoadReport = replace(report(), **change)  # type: ignore[arg-type]
    assert not is_plausible(absurd, replica().limits)


def test_without_a_report_only_the_ramp_is_open() -> None:
    state = ReplicaState(replica(max_num_seqs=8))
    assert state.slots_free(SETTINGS, state.is_fresh(SETTINGS, 0.0)) == 2
    assert ReplicaState(replica(max_num_seqs=1)).slots_free(SETTINGS, is_fresh=False) == 1


def test_a_report_opens_the_slots_and_ages() -> None:
    state = ReplicaState(replica(max_num_seqs=8))
    assert state.take_report(report(), 5.0)
    assert state.is_fresh(SETTINGS, 6.0)
    assert state.slots_free(SETTINGS, is_fresh=True) == 8
    assert not state.is_fresh(SETTINGS, 6.001)


def five() -> ReplicaState:
    return booked(*(arrival(str(n)) for n in range(5)))


def test_stale_keeps_the_level_that_the_last_good_report_showed_to_be_safe() -> None:
    state = five()
    state.take_report(report(running=5), 0.0)
    assert state.slots_free(SETTINGS, is_fresh=False) == 0
    state.remove("0")
    assert state.slots_free(SETTINGS, is_fresh=False) == 1


def test_a_report_with_a_queue_does_not_show_the_level_to_be_safe() -> None:
    state = five()
    state.take_report(report(running=8, waiting=1), 0.0)
    assert state.slots_free(SETTINGS, is_fresh=False) == 2 - 5


def test_an_absurd_report_takes_the_trust_and_leaves_the_measurements() -> None:
    state = ReplicaState(replica())
    state.take_report(report(decode_step_s=0.5, prefill_tok_s=7.0), 0.0)
    assert not state.take_report(report(decode_step_s=nan), 0.0)
    assert not state.is_fresh(SETTINGS, 0.0)
    assert state.report is not None
    assert state.report.decode_step_s == 0.5
    assert state.prefill_tok_s(SETTINGS) == 7.0


def test_unmeasured_rates_are_assumed() -> None:
    state = ReplicaState(replica())
    slow = changed(SETTINGS, admission={"prefill_tok_s_assumed": 77.0})
    assert state.prefill_tok_s(slow) == 77.0
    state.take_report(report(decode_step_s=None, prefill_tok_s=None), 0.0)
    assert state.prefill_tok_s(slow) == 77.0


def test_requests_of_other_schedulers_take_slots_while_the_report_is_fresh() -> None:
    state = booked(arrival(prompt=100, output=50))
    state.take_report(report(running=4, kv=3_100), 0.0)
    assert state.slots_free(SETTINGS, is_fresh=True) == 8 - 1 - 3
    assert state.slots_free(SETTINGS, is_fresh=False) == 2 - 1
    assert state.untracked_kv_tokens == 3_000


@pytest.mark.parametrize(
    ("facts", "queues"),
    [
        ({"running": 3, "waiting": 2}, False),
        ({"running": 7, "waiting": 2}, True),  # more than may run
        ({"running": 1, "waiting": 1, "prefill_waiting": 2_001}, True),  # more than a step reads
        ({"running": 1, "waiting": 1, "kv": 9_500, "prefill_waiting": 501}, True),  # no KV room
    ],
)
def test_an_engine_queues_when_its_next_step_cannot_take_all(
    facts: dict[str, int], queues: bool
) -> None:
    state = ReplicaState(replica())
    state.take_report(report(**facts), 0.0)  # type: ignore[arg-type]
    assert state.engine_queues is queues


def test_the_unfilled_end_of_each_last_block_takes_room() -> None:
    """Four requests of 130 tokens take eight blocks of 128: there is no room for a fifth."""
    coarse = ReplicaState(replica(kv=8 * 128, max_num_seqs=8, block=128))
    fine = ReplicaState(replica(kv=8 * 128, max_num_seqs=8))
    exact = changed(SETTINGS, admission={"kv_headroom": 0.0})
    for state in (coarse, fine):
        for n in range(4):
            state.add(arrival(f"q{n}", prompt=120, output=1, output_max=10), 120)
    assert fine.has_kv_room(120, 1, exact, is_fresh=False)
    assert not coarse.has_kv_room(120, 1, exact, is_fresh=False)


def test_a_new_request_leaves_a_block_unfilled_too() -> None:
    settings = Settings(admission=AdmissionSettings(kv_headroom=0.0))
    safety = int(SAFETY_DEVIATIONS * 50)
    state = ReplicaState(replica(kv=1_000, block=16))
    assert state.has_kv_room(1_000 - 15 - 50 - safety, 50, settings, is_fresh=True)
    assert not state.has_kv_room(1_000 - 14 - 50 - safety, 50, settings, is_fresh=True)
