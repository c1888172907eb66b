"""Caps hold past a restart, and for two gateways of one ledger together."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.clock import SYSTEM, Clock
from runtime.ledger.ledger import Ledger
from runtime.ledger.usage_report import report
from runtime.targets.other_schedulers_spending import OthersSpending
from scheduler.budget import HOUR_S
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler
from tests.runtime.ledger.samples import reserve, settle
from tests.runtime.parts import POOL, Stack, chat
from tests.runtime.test_shared_time import successor
from tests.runtime.vendors import Answer, market, message, usage, vendor, whole

HOUR_MS = round(HOUR_S * 1000)
ONE_USD_CENT: Answer = whole(message("the river", usage=usage(2, 5_000)["usage"]))  # 0.010002 USD
WIDE = POOL.model_copy(update={"context_tokens_max": 131_072})
CAP = "0.02"
CAPPED = {
    "spill": {"usd_per_hour_max": CAP},
    "queue": {"wait_ms_max": 200},
}
TENANTS = {"acme": {"key_sha256": ["0" * 64], "spill_usd_per_hour_max": CAP}}
OF_ITS_OWN = {"tenants": TENANTS, "queue": {"wait_ms_max": 200}}


async def _buy_all_it_can(s: Stack) -> int:
    bought = 0
    while (await s.post(chat(max_tokens=5_000))).status == 200:
        bought += 1
        assert bought < 10
    return bought


def _spent_nano(tmp_path: Path) -> int:
    return report(tmp_path / "ledger.db").total.cost_nano_usd


@pytest.mark.parametrize("config", [CAPPED, OF_ITS_OWN], ids=["of all", "of the tenant"])
async def test_three_starts_within_the_hour_have_one_cap(
    tmp_path: Path, config: dict[str, object]
) -> None:
    bought = []
    for _ in range(3):
        async with vendor(ONE_USD_CENT) as first, market(tmp_path, first, None, config, WIDE) as s:
            bought.append(await _buy_all_it_can(s))
    assert bought == [1, 0, 0]
    assert 0 < _spent_nano(tmp_path) <= 20_000_000


async def _bought_before(tmp_path: Path, now_ms: int) -> None:
    """Something two hours ago, and something half an hour ago."""
    ledger = Ledger.open(tmp_path / "ledger.db", owner="before")
    for name, at_ms in (("old", now_ms - 2 * HOUR_MS), ("young", now_ms - HOUR_MS // 2)):
        row = {"owner": "before", "target": "offer:x/m", "bound_nano_usd": 15_000_000}
        await ledger.reserve(reserve(name, at_ms=at_ms, **row))
        await ledger.settle(
            settle(name, cost_nano_usd=12_000_000 if name == "young" else 15_000_000)
        )
    ledger.close()


async def test_the_hour_is_that_of_the_given_clock(tmp_path: Path) -> None:
    now_ms, scheduler = 1_800_000_000_000, Scheduler(Settings())
    await _bought_before(tmp_path, now_ms)
    ledger = Ledger.open(tmp_path / "ledger.db", owner="next")
    clock = Clock(lambda: 50.0, lambda: 50_000_000_000, lambda: now_ms)
    await OthersSpending(ledger, clock).tell(scheduler)
    ledger.close()
    assert scheduler.snapshot(50.0).spill_nano_last_hour == 12_000_000
    assert scheduler.snapshot(1_700.0).spill_nano_last_hour == 12_000_000
    assert scheduler.snapshot(1_900.0).spill_nano_last_hour == 0


async def test_what_was_bought_an_hour_ago_is_forgotten(tmp_path: Path) -> None:
    await _bought_before(tmp_path, SYSTEM.unix_ms())
    async with vendor(ONE_USD_CENT) as first, market(tmp_path, first, None, CAPPED, WIDE) as s:
        assert (
            s.gateway._scheduler.snapshot(s.gateway.clock.monotonic_s()).spill_nano_last_hour
            == 12_000_000
        )
        assert await _buy_all_it_can(s) == 0
        assert (
            s.gateway._scheduler.snapshot(
                s.gateway.clock.monotonic_s() + 1_900
            ).spill_nano_last_hour
            == 0
        )


async def test_what_another_gateway_buys_is_counted_here(tmp_path: Path) -> None:
    """As in a rolling upgrade: the old one and the new one are both there for a while."""
    async with (
        vendor(ONE_USD_CENT) as first,
        market(tmp_path, first, None, CAPPED, WIDE) as s,
        successor(s, s.gateway.config) as (gateway, address),
    ):
        assert await _buy_all_it_can(s) == 1
        await gateway._others.tell(gateway._scheduler)  # as every few seconds
        assert (await s.http.post(address, json=chat(max_tokens=5_000))).status == 429
        assert (
            gateway._scheduler.snapshot(gateway.clock.monotonic_s()).spill_nano_last_hour
            > 10_000_000
        )
