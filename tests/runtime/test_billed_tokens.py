"""What is billed of what was told and of what was sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from runtime.billed_tokens import NOTHING, BilledTokens, Reckoning
from runtime.ledger.rows import UsageSource
from runtime.wire.parse_request import parse_chat
from runtime.wire.reported_usage import Usage
from tests.runtime.jobs import CONTEXT, made_job
from tests.runtime.pupil import Pupil

MOST = 50


def bill(usage: Usage | None, sent: int = 0, most: int = MOST) -> tuple[int | None, ...]:
    found = BilledTokens.of(usage, most, lambda: sent)
    return found.prompt_tokens, found.cached_tokens, found.completion_tokens


def source(usage: Usage | None, sent: int = 0) -> str:
    return BilledTokens.of(usage, MOST, lambda: sent).source.value


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

    assert BilledTokens.of(Usage(9, 4, 3), MOST, never).source is UsageSource.TARGET


def test_an_answer_that_may_have_no_token_has_none() -> None:
    assert bill(Usage(9, None, 0), 7, most=0) == (9, None, 0)  # the prompt, echoed


def test_what_was_not_taken_as_it_was_told_is_noted() -> None:
    assert BilledTokens.of(Usage(9, 4, 3), MOST, int).note == ""
    assert "3 completion tokens told" in BilledTokens.of(Usage(9, 4, 3, None, 40), MOST, int).note
    assert "99 completion tokens told" in BilledTokens.of(Usage(9, 4, 99), MOST, int).note


@dataclass
class Heard:
    """An answer of so many tokens."""

    usage: Usage | None
    sent: int = 0
    cut_off: bool = False

    def tokens(self, count: Callable[[str], int]) -> int:
        return self.sent


def taught(said: Heard, *, is_whole: bool = True) -> tuple[list[int], list[tuple[int, bool]]]:
    body = b'{"model":"m","n":2,"messages":[{"role":"user","content":"hello"}]}'
    pupil = Pupil()
    reckoning = Reckoning(pupil, made_job(parse_chat(body)))
    reckoning.said = said
    if is_whole:
        reckoning.learn(reckoning.bill(MOST))
    reckoning.learn_the_rest()
    return pupil.prompts, pupil.answers


def test_an_answer_teaches_once_and_only_what_can_be() -> None:
    assert taught(Heard(Usage(9, None, 8))) == ([9], [(4, True)])
    assert taught(Heard(Usage(9, None, 8), cut_off=True)) == ([9], [(4, False)])
    assert taught(Heard(None, sent=6)) == ([], [(3, True)])
    assert taught(Heard(Usage(9, None, 8), sent=6), is_whole=False) == ([], [(3, False)])
    assert taught(Heard(Usage(9, None, MOST + 1), sent=6)) == ([], [])
    assert taught(Heard(Usage(9_999, None, 8))) == ([], [(4, True)])
    assert taught(Heard(None)) == taught(Heard(None), is_whole=False) == ([], [])


def test_of_what_no_target_was_asked_nothing_is_billed() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hello"}]}'
    pupil = Pupil()
    reckoning = Reckoning(pupil, made_job(parse_chat(body)))
    assert reckoning.bill(MOST) == NOTHING
    reckoning.learn_the_rest()
    assert (pupil.prompts, pupil.answers) == ([], [])


def test_the_most_that_can_be_generated() -> None:
    fields = b'"model":"m","messages":[{"role":"user","content":"hello"}]'
    assert made_job(parse_chat(b"{%b}" % fields)).output_tokens_most == CONTEXT
    assert made_job(parse_chat(b'{"n":3,%b}' % fields)).output_tokens_most == 3 * CONTEXT
    asked = made_job(parse_chat(b'{"n":3,"max_tokens":7,%b}' % fields))
    assert asked.output_tokens_most == 21
