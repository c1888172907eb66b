"""What a gateway learns from the ledger of purchases that it did not make."""

from __future__ import annotations

from runtime.ledger.ledger import Ledger
from runtime.ledger.open_store import open_store
from runtime.ledger.purchases import LATE_MS, Purchase, Purchases
from runtime.ledger.rows import Ending
from tests.runtime.ledger.samples import opened, reserve, settle

NOW_MS = 1_750_000_000_000
HOUR_MS = 3_600_000
SINCE_MS = NOW_MS - HOUR_MS
BOUND, COST = 5_000, 1_200


async def _bought(
    ledger: Ledger, name: str, ending: Ending | None = Ending.SETTLE, at_ms: int = NOW_MS
) -> None:
    row = reserve(name, owner=ledger.owner, target="offer:x/m", at_ms=at_ms, bound_nano_usd=BOUND)
    await ledger.reserve(row)
    if ending is not None:
        cost = COST if ending is Ending.SETTLE else 0
        await ledger.settle(settle(name, ending=ending, cost_nano_usd=cost))


def _told(purchases: list[Purchase]) -> list[tuple[str, int, bool]]:
    return [(each.request_id, each.nano_usd, each.is_open) for each in purchases]


async def test_the_first_look_is_at_the_last_hour(url: str) -> None:
    with opened(url) as ledger:
        await _bought(ledger, "old", at_ms=SINCE_MS - LATE_MS - 1)
        await _bought(ledger, "late", at_ms=SINCE_MS - 1)
        await _bought(ledger, "settled", at_ms=SINCE_MS)
        await _bought(ledger, "void", Ending.VOID)
        await _bought(ledger, "in doubt", Ending.EXPIRE)
        await _bought(ledger, "open", None)
        await ledger.reserve(reserve("local", at_ms=NOW_MS))
    found = Purchases(open_store(url), "next").news(SINCE_MS)
    assert _told(found) == [
        ("settled", COST, False),
        ("void", 0, False),
        ("in doubt", BOUND, False),
        ("open", BOUND, True),
    ]
    assert [(each.tenant, each.at_ms) for each in found[:1]] == [("acme", SINCE_MS)]


async def test_later_looks_tell_what_is_new_of_others(url: str) -> None:
    with opened(url, "mine") as mine, opened(url, "other") as other:
        await _bought(other, "first", None)
        purchases = Purchases(open_store(url), "mine")
        assert _told(purchases.news(SINCE_MS)) == [("first", BOUND, True)]
        assert purchases.news(SINCE_MS) == []
        await _bought(mine, "my own")
        await _bought(other, "second")
        await _bought(other, "third", None)
        assert _told(purchases.news(SINCE_MS)) == [
            ("second", COST, False),
            ("third", BOUND, True),
        ]
        await other.settle(settle("first", cost_nano_usd=7))
        await other.settle(settle("third", ending=Ending.EXPIRE, cost_nano_usd=0))
        assert _told(purchases.news(SINCE_MS)) == [("first", 7, False), ("third", BOUND, False)]
        assert purchases.news(SINCE_MS) == []


async def test_who_comes_next_counts_what_the_same_name_bought_before(url: str) -> None:
    for number in range(2):
        with opened(url, "same") as ledger:
            assert len(Purchases(open_store(url), "same").news(SINCE_MS)) == number
            await _bought(ledger, f"q{number}")


async def test_an_empty_ledger_has_no_news(url: str) -> None:
    with opened(url):
        assert Purchases(open_store(url), "x").news(SINCE_MS) == []
