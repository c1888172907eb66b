from __future__ import annotations

from runtime.ledger.request_history import RequestStory, story
from runtime.ledger.rows import Ending
from tests.runtime.ledger.samples import opened, reserve, settle


def told_of(url: str, request_id: str) -> RequestStory:
    found = story(url, request_id)
    assert found is not None
    return found


async def test_the_attempts_of_a_request_in_their_order(url: str) -> None:
    with opened(url) as ledger:
        await ledger.reserve(reserve("a", evidence='{"form":1}'))
        await ledger.reserve(reserve("b"))
        void = {"outcome": "target_failed", "prompt_tokens": None, "completion_tokens": None}
        await ledger.settle(settle("a", ending=Ending.VOID, cost_nano_usd=0, **void))
        await ledger.reserve(reserve("a", attempt=2, target="offer:stand-in/tiny", model="big"))
        under_way = told_of(url, "a")
        assert [each.ending for each in under_way.attempts] == ["void", None]
        assert under_way.attempts[1].cost_nano_usd is None
        await ledger.settle(settle("b"))
        await ledger.settle(settle("a", attempt=2, cost_nano_usd=1_000_000_001))
    told = told_of(url, "a")
    assert [each.entries for each in told.attempts] == [[1, 3], [4, 6]]
    assert [each.evidence for each in told.attempts] == [{"form": 1}, None]
    assert [each.model for each in told.attempts] == ["tiny-moe", "big"]
    assert [each.is_refusal for each in told.attempts] == [False, False]
    assert (told.tenant, told.model, told.feature) == ("acme", "tiny-moe", "chat")
    assert (told.cost_nano_usd, told.cost_usd) == (1_000_000_001, "1.000000001")


async def test_a_refusal_was_sent_to_nobody(url: str) -> None:
    intent = reserve("r", target="none", reason="no_compliant_target", bound_nano_usd=0)
    with opened(url) as ledger:
        await ledger.refuse(intent, settle("r", ending=Ending.VOID, cost_nano_usd=0))
    (attempt,) = told_of(url, "r").attempts
    assert (attempt.is_refusal, attempt.entries, attempt.ending) == (True, [1, 2], "void")


async def test_a_request_that_the_ledger_has_not(url: str) -> None:
    with opened(url) as ledger:
        await ledger.reserve(reserve("a"))
    assert story(url, "A") is None
