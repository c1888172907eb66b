from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.book import Book, is_plausible, kv_tokens_expected
from scheduler.replica import LoadReport
from scheduler.settings import Settings
from tests.scheduler.given import arrival, replica, report

SETTINGS = Settings(kv_headroom=0.1, ramp_requests=2, report_age_ms_max=1_000)


def test_a_request_reserves_its_prompt_and_its_expected_answer() -> None:
    book = Book(replica(kv=1_000))
    book.add(arrival(prompt=100, output=50, output_max=200))
    assert book.kv_tokens_reserved == 150
    assert book.prefill_tokens_waiting == 100
    assert book.kv_tokens_free(SETTINGS, is_fresh=False) == 900 - 150


def test_the_expected_answer_lies_between_one_and_what_is_allowed() -> None:
    assert kv_tokens_expected(arrival(prompt=10, output=500, output_max=20)) == 30
    assert kv_tokens_expected(arrival(prompt=10, output=0, output_max=20)) == 11


def test_the_first_token_ends_the_prefill() -> None:
    book = Book(replica())
    book.add(arrival())
    book.progress("q1", 0)
    assert book.prefill_tokens_waiting == 100
    book.progress("q1", 1)
    assert book.prefill_tokens_waiting == 0


def test_an_answer_that_outlives_its_expectation_doubles_it_up_to_the_limit() -> None:
    book = Book(replica())
    book.add(arrival(prompt=100, output=50, output_max=150))
    reserved = []
    for tokens in (49, 50, 99, 100, 150, 9_999, 3):
        book.progress("q1", tokens)
        reserved.append(book.kv_tokens_reserved)
    assert reserved == [150, 200, 200, 250, 250, 250, 250]
    assert book.streamed_tokens == 150


@given(st.data())
def test_the_sums_equal_the_sum_of_the_parts(data: st.DataObject) -> None:
    book = Book(replica())
    tokens = st.integers(0, 300)
    for n in range(data.draw(st.integers(1, 30))):
        step = data.draw(st.sampled_from(["add", "progress", "remove"]))
        if step == "add" or not book.entries:
            prompt, output, most = data.draw(st.tuples(tokens, tokens, tokens))
            book.add(arrival(str(n), prompt=prompt, output=output, output_max=most))
        elif step == "progress":
            book.progress(data.draw(st.sampled_from(sorted(book.entries))), data.draw(tokens))
        else:
            book.remove(data.draw(st.sampled_from(sorted(book.entries))))
        assert_sums(book)
    for request_id in list(book.entries):
        book.remove(request_id)
    assert book.kv_tokens_reserved == book.streamed_tokens == book.prefill_tokens_waiting == 0


def assert_sums(book: Book) -> None:
    entries = book.entries.values()
    assert book.prompt_tokens == sum(e.prompt_tokens for e in entries)
    assert book.output_tokens == sum(e.output_tokens for e in entries)
    assert book.streamed_tokens == sum(e.streamed_tokens for e in entries)
    assert book.prefill_tokens_waiting == sum(
        e.prompt_tokens for e in entries if e.streamed_tokens == 0
    )
    assert book.kv_tokens_reserved == book.prompt_tokens + book.output_tokens
    assert book.streamed_tokens <= book.output_tokens or not book.entries


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


def test_stale_keeps_the_level_that_the_last_good_report_showed_to_be_safe() -> None:
    book = Book(replica(running_max=8))
    for n in range(5):
        book.add(arrival(str(n)))
    book.take_report(report(running=5), 0.0)
    assert book.slots_free(SETTINGS, is_fresh=False) == 0
    book.remove("0")
    assert book.slots_free(SETTINGS, is_fresh=False) == 1


def test_a_report_with_a_queue_does_not_show_the_level_to_be_safe() -> None:
    book = Book(replica())
    for n in range(5):
        book.add(arrival(str(n)))
    book.take_report(report(running=8, waiting=1), 0.0)
    assert book.slots_free(SETTINGS, is_fresh=False) == 2 - 5


def test_an_absurd_report_takes_the_trust_and_leaves_the_measurements() -> None:
    book = Book(replica())
    book.take_report(report(decode_step_s=0.5, prefill_tok_s=7.0), 0.0)
    assert not book.take_report(report(decode_step_s=nan), 0.0)
    assert not book.is_fresh(SETTINGS, 0.0)
    assert book.decode_step_s(SETTINGS) == 0.5
    assert book.prefill_tok_s(SETTINGS) == 7.0


def test_unmeasured_rates_are_assumed() -> None:
    book = Book(replica())
    assert book.decode_step_s(SETTINGS) == SETTINGS.decode_step_s_assumed
    book.take_report(report(decode_step_s=None, prefill_tok_s=None), 0.0)
    assert book.decode_step_s(SETTINGS) == SETTINGS.decode_step_s_assumed
    assert book.prefill_tok_s(SETTINGS) == SETTINGS.prefill_tok_s_assumed


def test_work_of_other_schedulers_takes_room_while_the_report_is_fresh() -> None:
    book = Book(replica(kv=10_000, running_max=8))
    book.add(arrival(prompt=100, output=50))
    book.take_report(report(running=4, kv=3_100), 0.0)
    assert book.slots_free(SETTINGS, is_fresh=True) == 8 - 1 - 3
    assert book.kv_tokens_free(SETTINGS, is_fresh=True) == 9_000 - 150 - 3_000
    assert book.kv_tokens_free(SETTINGS, is_fresh=False) == 9_000 - 150


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
