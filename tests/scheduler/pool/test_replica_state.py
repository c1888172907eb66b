from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, inf, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.arrival import Arrival
from scheduler.learned.lengths import LengthCurve
from scheduler.pool.replica_state import SAFETY_DEVIATIONS, Book, is_plausible
from scheduler.replica import LoadReport
from scheduler.settings import Settings
from tests.scheduler.given import arrival, replica, report
from tests.scheduler.sums import assert_book_sums

SETTINGS = Settings(kv_headroom=0.1, ramp_requests=2, report_age_ms_max=1_000)


def booked(*requests: Arrival, kv: int = 10_000, running_max: int = 8) -> Book:
    book = Book(replica(kv=kv, running_max=running_max))
    for request in requests:
        book.add(request, request.prompt_tokens)
    return book


def test_a_request_reserves_its_prompt_and_its_expected_answer() -> None:
    book = Book(replica(kv=1_000))
    book.add(arrival(prompt=100, output=50, output_max=200), prefill_tokens=30)
    assert (book.kv_tokens_reserved, book.prefill_tokens_waiting) == (150, 30)


def test_the_expected_answer_lies_between_one_and_what_is_allowed() -> None:
    assert booked(arrival(prompt=10, output=500, output_max=20)).kv_tokens_reserved == 30
    assert booked(arrival(prompt=10, output=0, output_max=20)).kv_tokens_reserved == 11


def test_the_first_token_ends_the_prefill() -> None:
    book = booked(arrival())
    book.progress("q1", 0)
    assert book.prefill_tokens_waiting == 100
    book.progress("q1", 1)
    assert book.prefill_tokens_waiting == 0


def test_an_answer_that_outlives_its_expectation_doubles_it_up_to_the_limit() -> None:
    book, reserved = booked(arrival(prompt=100, output=50, output_max=150)), []
    for tokens in (49, 50, 99, 100, 150, 9_999, 3):
        book.progress("q1", tokens)
        reserved.append(book.kv_tokens_reserved)
    assert reserved == [150, 200, 200, 250, 250, 250, 250]
    assert book.streamed_tokens == 150


def test_a_length_curve_refines_the_expectation_at_each_doubling() -> None:
    """Also downwards: what the curve says of an answer that goes on is better than a guess."""
    told = arrival(prompt=0, output=400, output_max=900, lengths=LengthCurve.exactly(60))
    book, expected = booked(told), []
    for tokens in (1, 15, 16, 31, 59, 60, 119, 120, 500, 900):
        book.progress("q1", tokens)
        expected.append(book.kv_tokens_reserved)
    assert expected == [400, 400, 60, 60, 60, 120, 120, 240, 900, 900]


TOKENS = st.integers(0, 300)
CURVES = st.sampled_from([None, LengthCurve.exactly(90), LengthCurve.assumed(40.0)])


@given(st.data())
def test_the_sums_equal_the_sum_of_the_parts(data: st.DataObject) -> None:
    book = Book(replica())
    for n in range(data.draw(st.integers(1, 30))):
        step = data.draw(st.sampled_from(["add", "progress", "remove"]))
        if step == "add" or not book.entries:
            prompt, output, most, prefill = data.draw(st.tuples(TOKENS, TOKENS, TOKENS, TOKENS))
            lengths = data.draw(CURVES)
            request = arrival(
                str(n), prompt=prompt, output=output, output_max=most, lengths=lengths
            )
            book.add(request, prefill)
        elif step == "progress":
            book.progress(data.draw(st.sampled_from(sorted(book.entries))), data.draw(TOKENS))
        else:
            book.remove(data.draw(st.sampled_from(sorted(book.entries))))
        assert_book_sums(book)
    for request_id in list(book.entries):
        book.remove(request_id)
    assert book.kv_tokens_reserved == book.streamed_tokens == book.prefill_tokens_waiting == 0
    assert book.output_squares == 0


# The future peak


BATCH = st.lists(st.tuples(TOKENS, st.integers(1, 80), st.integers(0, 80)), max_size=8)


def peak_token_by_token(book: Book, prompt: int, output: int) -> int:
    """Let all that run stream a token a step, each until it ends; the most that was ever held."""
    batch = [
        [entry.prompt_tokens + entry.streamed_tokens, entry.output_tokens - entry.streamed_tokens]
        for entry in book.entries.values()
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
    book = Book(replica())
    for n, (held, expected, streamed) in enumerate(batch):
        book.add(arrival(str(n), prompt=held, output=expected, output_max=expected), held)
        book.progress(str(n), streamed)
    peak = peak_token_by_token(book, prompt, output)
    assert book._peak(prompt, output) == peak
    safety = SAFETY_DEVIATIONS * sqrt(book.output_squares + output**2)
    settings = Settings(kv_headroom=1e-12)
    for room, fits in ((peak + ceil(safety) + 2, True), (peak + floor(safety) - 2, False)):
        book.replica = replica(kv=max(1, room))
        assert book.has_kv_room(prompt, output, settings, is_fresh=True) is fits


def test_requests_that_end_one_after_another_share_room() -> None:
    """Their sum would not fit, but their common peak does."""
    settings = Settings(kv_headroom=0.0)
    book = booked(*(arrival(f"q{n}", prompt=0, output=500, output_max=500) for n in range(4)))
    for n, streamed in enumerate((100, 200, 300, 400)):
        book.progress(f"q{n}", streamed)
    safety = int(SAFETY_DEVIATIONS * sqrt(5 * 500**2))
    peak = peak_token_by_token(book, 0, 500)
    assert peak < book.kv_tokens_reserved + 500
    book.replica = replica(kv=peak + safety)
    assert book.has_kv_room(0, 500, settings, is_fresh=True)
    book.replica = replica(kv=peak + safety - 1)
    assert not book.has_kv_room(0, 500, settings, is_fresh=True)


def test_headroom_and_the_work_of_others_take_room() -> None:
    book = booked(kv=1_000)
    safety = int(SAFETY_DEVIATIONS * 50)
    assert book.has_kv_room(1_000 - 100 - 50 - safety, 50, SETTINGS, is_fresh=True)
    assert not book.has_kv_room(1_000 - 100 - 49 - safety, 50, SETTINGS, is_fresh=True)
    book.take_report(report(running=1, kv=300), 0.0)
    assert book.has_kv_room(1_000 - 400 - 50 - safety, 50, SETTINGS, is_fresh=True)
    assert not book.has_kv_room(1_000 - 400 - 49 - safety, 50, SETTINGS, is_fresh=True)
    assert book.has_kv_room(1_000 - 400 - 49 - safety, 50, SETTINGS, is_fresh=False)


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
    assert is_plausible(report(), replica())
    absurd: LoadReport = replace(report(), **change)  # type: ignore[arg-type]
    assert not is_plausible(absurd, replica())


def test_without_a_report_only_the_ramp_is_open() -> None:
    book = Book(replica(running_max=8))
    assert book.slots_free(SETTINGS, book.is_fresh(SETTINGS, 0.0)) == 2
    assert Book(replica(running_max=1)).slots_free(SETTINGS, is_fresh=False) == 1


def test_a_report_opens_the_slots_and_ages() -> None:
    book = Book(replica(running_max=8))
    assert book.take_report(report(), 5.0)
    assert book.is_fresh(SETTINGS, 6.0)
    assert book.slots_free(SETTINGS, is_fresh=True) == 8
    assert not book.is_fresh(SETTINGS, 6.001)


def five() -> Book:
    return booked(*(arrival(str(n)) for n in range(5)))


def test_stale_keeps_the_level_that_the_last_good_report_showed_to_be_safe() -> None:
    book = five()
    book.take_report(report(running=5), 0.0)
    assert book.slots_free(SETTINGS, is_fresh=False) == 0
    book.remove("0")
    assert book.slots_free(SETTINGS, is_fresh=False) == 1


def test_a_report_with_a_queue_does_not_show_the_level_to_be_safe() -> None:
    book = five()
    book.take_report(report(running=8, waiting=1), 0.0)
    assert book.slots_free(SETTINGS, is_fresh=False) == 2 - 5


def test_an_absurd_report_takes_the_trust_and_leaves_the_measurements() -> None:
    book = Book(replica())
    book.take_report(report(decode_step_s=0.5, prefill_tok_s=7.0), 0.0)
    assert not book.take_report(report(decode_step_s=nan), 0.0)
    assert not book.is_fresh(SETTINGS, 0.0)
    assert book.report is not None
    assert book.report.decode_step_s == 0.5
    assert book.prefill_tok_s(SETTINGS) == 7.0


def test_unmeasured_rates_are_assumed() -> None:
    book = Book(replica())
    assert book.prefill_tok_s(SETTINGS) == SETTINGS.prefill_tok_s_assumed
    book.take_report(report(decode_step_s=None, prefill_tok_s=None), 0.0)
    assert book.prefill_tok_s(SETTINGS) == SETTINGS.prefill_tok_s_assumed


def test_requests_of_other_schedulers_take_slots_while_the_report_is_fresh() -> None:
    book = booked(arrival(prompt=100, output=50))
    book.take_report(report(running=4, kv=3_100), 0.0)
    assert book.slots_free(SETTINGS, is_fresh=True) == 8 - 1 - 3
    assert book.slots_free(SETTINGS, is_fresh=False) == 2 - 1
    assert book.foreign_kv_tokens == 3_000


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
    book = Book(replica())
    book.take_report(report(**facts), 0.0)  # type: ignore[arg-type]
    assert book.engine_queues is queues


def test_the_unfilled_end_of_each_last_block_takes_room() -> None:
    """Four requests of 130 tokens take eight blocks of 128: there is no room for a fifth."""
    coarse = Book(replace(replica(kv=8 * 128, running_max=8), kv_block_tokens=128))
    fine = Book(replica(kv=8 * 128, running_max=8))
    exact = replace(SETTINGS, kv_headroom=0.0)
    for book in (coarse, fine):
        for n in range(4):
            book.add(arrival(f"q{n}", prompt=120, output=1, output_max=10), 120)
    assert fine.has_kv_room(120, 1, exact, is_fresh=False)
    assert not coarse.has_kv_room(120, 1, exact, is_fresh=False)


def test_a_new_request_leaves_a_block_unfilled_too() -> None:
    settings = Settings(kv_headroom=0.0)
    safety = int(SAFETY_DEVIATIONS * 50)
    book = Book(replace(replica(kv=1_000), kv_block_tokens=16))
    assert book.has_kv_room(1_000 - 15 - 50 - safety, 50, settings, is_fresh=True)
    assert not book.has_kv_room(1_000 - 14 - 50 - safety, 50, settings, is_fresh=True)
