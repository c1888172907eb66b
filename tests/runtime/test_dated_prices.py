"""A price that begins or ends while the gateway runs: the day turns, and so does the price."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from models.price_book import Price, PriceBook
from models.price_terms import bill_text
from runtime.clock import Clock
from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import MODEL, chat, stack, until

EVE, TURN = date(2026, 5, 31), date(2026, 6, 1)
OLD, NEW = 1_000_000, 3_000_000  # pico-USD per token


class Calendar:
    """A clock that shows the end of a day until a test turns the page."""

    def __init__(self) -> None:
        self.day = EVE
        self.clock = Clock(unix_ms=self._unix_ms)

    def _unix_ms(self) -> int:
        return round(datetime.combine(self.day, time.max, UTC).timestamp() * 1000) - 1


def _price(pico: int, first: date, end: date | None) -> Price:
    price_id = f"stand-in/{MODEL}@{first}"
    return Price(price_id, "stand-in", MODEL, pico, None, pico, first, end, "a test")


BEFORE, AFTER = _price(OLD, date(2026, 1, 1), TURN), _price(NEW, TURN, None)


async def test_a_price_holds_from_its_first_day_on(tmp_path: Path) -> None:
    book, calendar = PriceBook((BEFORE, AFTER)), Calendar()
    async with stack(tmp_path, scripts=[], sells=True, prices=book, clock=calendar.clock) as s:
        assert (await s.post(chat())).status == 200
        calendar.day = TURN
        assert (await s.post(chat())).status == 200
        calendar.day = TURN + timedelta(days=1)
        assert (await s.post(chat())).status == 200
        said = [row.derivation for row in s.rows()]
        costs = [row.cost_nano_usd for row in s.rows()]
    assert said == [bill_text(price, 0) for price in (BEFORE, AFTER, AFTER)]
    assert costs[1] == costs[2] == 3 * costs[0]


async def test_an_answer_under_way_at_midnight_costs_what_was_agreed(tmp_path: Path) -> None:
    book, calendar = PriceBook((BEFORE, AFTER)), Calendar()
    vendor = Script(token_s=0.02)
    async with stack(
        tmp_path, scripts=[], vendor=vendor, sells=True, prices=book, clock=calendar.clock
    ) as s:
        asking = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 1)
        calendar.day = TURN
        await (await asking).read()
        assert s.row().derivation == bill_text(BEFORE, 0)


async def test_who_waits_at_midnight_is_bought_at_the_new_price(tmp_path: Path) -> None:
    book, calendar = PriceBook((BEFORE, AFTER)), Calendar()
    hangs = Script(fault=Fault.HANG)
    async with stack(
        tmp_path, scripts=[hangs], sells=True, max_num_seqs=1, prices=book, clock=calendar.clock
    ) as s:
        filling = asyncio.ensure_future(s.post(chat("fill")))
        await until(lambda: s.asked == 1)
        asking = asyncio.ensure_future(s.post(chat(), X_Baseload_Latency_Budget_Ms="1600"))
        await until(lambda: s.in_books() == 2)
        calendar.day = TURN
        answer = await asking
        assert answer.headers["x-baseload-target"].startswith("offer:")
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        await s.idle()
        (row,) = [row for row in s.rows() if row.target.startswith("offer:")]
        assert row.derivation == bill_text(AFTER, 0)


async def test_a_price_that_has_ended_is_not_paid_any_more(tmp_path: Path) -> None:
    book, calendar = PriceBook((BEFORE,)), Calendar()
    async with stack(tmp_path, scripts=[], sells=True, prices=book, clock=calendar.clock) as s:
        assert (await s.post(chat())).status == 200
        calendar.day = TURN
        assert (await s.post(chat())).status == 503
        assert len(s.rows()) == 1


async def test_what_was_decided_before_midnight_is_not_bought_at_a_price_that_has_ended(
    tmp_path: Path,
) -> None:
    """The day turns between the decision and the reserve."""
    book, calendar = PriceBook((BEFORE,)), Calendar()
    async with stack(tmp_path, scripts=[], sells=True, prices=book, clock=calendar.clock) as s:
        decide = s.gateway.decide

        async def until_midnight(*given):  # type: ignore[no-untyped-def]
            decision = await decide(*given)
            calendar.day = TURN
            return decision

        s.gateway.decide = until_midnight  # type: ignore[method-assign]
        assert (await s.post(chat())).status == 503
        assert s.asked == 0
        assert s.rows() == []
