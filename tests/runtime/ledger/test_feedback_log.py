"""What is kept of feedback, how its request is found again, and what is read on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.feedback_log import FeedbackNews
from runtime.ledger.ledger import Ledger
from runtime.ledger.rows import Ending
from runtime.ledger.store import Feedback, FeedbackSum
from tests.runtime.ledger.samples import opened, reserve, settle

DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS + 7
WORD = Feedback("r1", "acme", "tiny-moe", "code", "en", 0.25, NOW_MS, NOW_MS - 1)


def word(request_id: str, **facts: Any) -> Feedback:
    return WORD._replace(request_id=request_id, **facts)


async def _ended(ledger: Ledger, name: str, attempt: int = 1, **facts: Any) -> None:
    intent = {key: facts.pop(key) for key in ("model", "evidence") if key in facts}
    await ledger.reserve(reserve(name, attempt=attempt, **intent))
    await ledger.settle(settle(name, attempt=attempt, **facts))


async def test_the_last_attempt_that_answered_is_judged(url: str) -> None:
    chosen = '{"chosen_by":{"task":"code","language":"yue"}}'
    with opened(url) as ledger:
        await _ended(ledger, "r", 1, model="failed", outcome="target_failed: 500")
        await _ended(ledger, "r", 2, model="stood-in", evidence=chosen, at_ms=5)
        found = ledger.feedback.request("r")
        assert found is not None
        assert (found.tenant, found.answer) == ("acme", ("stood-in", "code", "yue", 5))
        assert ledger.feedback.request("other") is None


@pytest.mark.parametrize(
    ("facts", "is_judged"),
    [
        ({"outcome": "ok"}, True),
        ({"outcome": "client_left: mid-way"}, True),
        ({"outcome": "target_failed"}, False),
        ({"outcome": "client_error"}, False),
        ({"outcome": "ok", "ending": Ending.VOID, "cost_nano_usd": 0}, False),
        ({"outcome": "client_left", "ending": Ending.VOID, "cost_nano_usd": 0}, False),
    ],
)
async def test_only_an_answer_is(url: str, facts: dict[str, Any], is_judged: bool) -> None:
    with opened(url) as ledger:
        await _ended(ledger, "r", **facts)
        await ledger.reserve(reserve("open"))
        known, still_open = ledger.feedback.request("r"), ledger.feedback.request("open")
        assert known is not None
        assert (known.answer is not None) is is_judged
        assert still_open is not None
        assert still_open.answer is None


def test_the_first_word_stays(url: str) -> None:
    with opened(url) as ledger, opened(url, "other") as other:
        assert ledger.feedback.record(WORD) == WORD
        assert other.feedback.record(word("r1", score=1.0)) == WORD
        assert other.feedback.record(word("r2")) == word("r2")
    with opened(url) as ledger:
        assert ledger.feedback.record(word("r1", score=1.0)) == WORD
    with pytest.raises(LedgerUnavailable):
        ledger.feedback.record(word("r3"))


def test_many_at_once_are_kept_once_each(url: str) -> None:
    names = [f"r{number}" for number in range(20)] * 2
    with opened(url) as ledger, opened(url, "other") as other, ThreadPoolExecutor(4) as pool:
        logs = [ledger.feedback, other.feedback] * len(names)
        kept = list(pool.map(lambda log, name: log.record(word(name)), logs, names))
        assert [each.request_id for each in kept] == names
        (found,) = FeedbackNews(ledger.store).read(0)
        assert found.results == 20


def test_it_is_read_on_by_day_and_nothing_twice(url: str) -> None:
    with opened(url) as ledger:
        news = FeedbackNews(ledger.store)
        assert news.read(0) == []
        ledger.feedback.record(word("a", score=0.5))
        ledger.feedback.record(word("b", score=1))
        ledger.feedback.record(word("c", answered_ms=NOW_MS - DAY_MS))
        ledger.feedback.record(word("d", answered_ms=NOW_MS - 9 * DAY_MS))
        cell = ("tiny-moe", "code", "en")
        assert news.read(NOW_MS - 2 * DAY_MS) == [
            FeedbackSum(*cell, 19_999, 0.25, 1),
            FeedbackSum(*cell, 20_000, 1.5, 2),
        ]
        assert news.read(0) == []
        ledger.feedback.record(word("e", language="zh"))
        assert [each.language for each in news.read(0)] == ["zh"]
