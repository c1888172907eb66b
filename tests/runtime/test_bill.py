"""What is billed of what was told and of what was sent."""

from __future__ import annotations

import pytest

from runtime.bill import NOTHING, Bill, UsageSource, learn
from runtime.http.usage import Usage
from runtime.http.wire import parse_chat
from tests.runtime.jobs import CONTEXT, made_job
from tests.runtime.pupil import Pupil

MOST = 50


def bill(usage: Usage | None, sent: int = 0, most: int = MOST) -> tuple[int | None, ...]:
    found = Bill.of(usage, most, lambda: sent)
    return found.prompt_tokens, found.cached_tokens, found.completion_tokens


def source(usage: Usage | None, sent: int = 0) -> str:
    return Bill.of(usage, MOST, lambda: sent).source.value


@pytest.mark.parametrize(
    ("usage", "sent", "counts", "who"),
    [
        (Usage(9, 4, 3), 7, (9, 4, 3), "target"),
        (Usage(9, None, 3), 0, (9, None, 3), "target"),
        (Usage(9, 4, 0), 0, (9, 4, 0), "target"),
        (Usage(9, None, None), 0, (9, None, None), "target"),
        (Usage(9, 4, MOST), 0, (9, 4, MOST), "target"),
        (Usage(9, 4, MOST + 1), 7, (9, 4, MOST), "limit"),
        (Usage(9, None, 3, None, 9 + MOST + 1), 7, (9, None, MOST), "limit"),
        (Usage(9, 4, 0), 7, (9, 4, 7), "estimate"),
        (Usage(9, 4, None), 7, (9, 4, 7), "estimate"),
        (Usage(0, 0, 0), 7, (None, None, 7), "estimate"),
        (Usage(None, 4, 3), 7, (None, None, 3), "estimate"),
        (Usage(0, 0, 3), 7, (None, None, 3), "estimate"),
        (None, 7, (None, None, 7), "estimate"),
        (None, MOST + 1, (None, None, MOST), "estimate"),
        (Usage(0, 0, 0), 0, (None, None, None), "none"),
        (None, 0, (None, None, None), "none"),
    ],
)
def test_a_bill(usage: Usage | None, sent: int, counts: tuple[int | None, ...], who: str) -> None:
    assert bill(usage, sent) == counts
    assert source(usage, sent) == who


def test_what_was_sent_is_looked_at_only_where_it_is_needed() -> None:
    def never() -> int:
        raise AssertionError

    assert Bill.of(Usage(9, 4, 3), MOST, never).source is UsageSource.TARGET


def test_an_answer_that_may_have_no_token_has_none() -> None:
    assert bill(Usage(9, None, 0), 7, most=0) == (9, None, 0)  # the prompt, echoed


def test_what_was_not_taken_as_it_was_told_is_noted() -> None:
    assert Bill.of(Usage(9, 4, 3), MOST, int).note == ""
    assert "3 completion tokens told" in Bill.of(Usage(9, 4, 3, None, 40), MOST, int).note
    assert "99 completion tokens told" in Bill.of(Usage(9, 4, 99), MOST, int).note


def test_only_what_can_be_true_teaches() -> None:
    body = b'{"model":"m","n":2,"messages":[{"role":"user","content":"hello"}]}'
    job, pupil = made_job(parse_chat(body)), Pupil()
    learn(pupil, job, Bill.of(Usage(9, None, 99), MOST, int), cut_off=False)
    learn(pupil, job, NOTHING, cut_off=False)
    learn(pupil, job, Bill.of(Usage(9_999, None, None), MOST, int), cut_off=False)
    assert (pupil.prompts, pupil.answers) == ([], [])
    learn(pupil, job, Bill.of(Usage(9, None, 8), MOST, int), cut_off=False)
    learn(pupil, job, Bill.of(Usage(9_999, None, 6), MOST, int), cut_off=True)
    assert (pupil.prompts, pupil.answers) == ([9], [(4, True), (3, False)])


def test_the_most_that_can_be_generated() -> None:
    fields = b'"model":"m","messages":[{"role":"user","content":"hello"}]'
    assert made_job(parse_chat(b"{%b}" % fields)).output_tokens_most == CONTEXT
    assert made_job(parse_chat(b'{"n":3,%b}' % fields)).output_tokens_most == 3 * CONTEXT
    asked = made_job(parse_chat(b'{"n":3,"max_tokens":7,%b}' % fields))
    assert asked.output_tokens_most == 21
