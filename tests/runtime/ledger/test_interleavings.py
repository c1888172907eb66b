"""Any order of reserves and endings, by several owners, replayed and swept, against a model."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.ledger.audit import audit
from runtime.ledger.ledger import Ledger
from runtime.ledger.rows import Ending, Reserve, Settle
from runtime.ledger.usage_report import report, requests
from tests.runtime.ledger.samples import reserve, settle
from tests.runtime.ledger.store_kinds import KINDS

OWNERS = ("boot-1", "boot-2")
Key = tuple[str, int]
Step = Reserve | Settle | str  # a name closes that owner: its attempts are then swept


@dataclass
class Model:
    reserves: dict[Key, Reserve] = field(default_factory=dict)
    endings: dict[Key, tuple[str, int]] = field(default_factory=dict)

    def take(self, row: Reserve | Settle) -> bool | type[ValueError]:
        if isinstance(row, Reserve):
            if row.key in self.reserves:
                return ValueError
            self.reserves[row.key] = row
            return True
        if row.key not in self.reserves:
            return ValueError
        if row.key in self.endings:
            return False
        self.endings[row.key] = (row.kind, row.cost_nano_usd)
        return True

    def sweep(self, owner: str) -> int:
        dead = [key for key, row in self.reserves.items() if row.owner == owner]
        dead = [key for key in dead if key not in self.endings]
        self.endings |= dict.fromkeys(dead, ("expire", 0))
        return len(dead)

    def cost(self, tenant: str | None = None) -> int:
        return sum(
            cost
            for key, (_, cost) in self.endings.items()
            if tenant in (None, self.reserves[key].tenant)
        )


names = st.sampled_from("abc")
attempts = st.integers(1, 2)
reserves = st.builds(
    lambda name, attempt, owner, tenant: reserve(
        name, attempt=attempt, owner=owner, tenant=tenant, bound_nano_usd=2**40
    ),
    names,
    attempts,
    st.sampled_from(OWNERS),
    st.sampled_from(["acme", "零售"]),
)
endings = st.builds(
    lambda name, attempt, ending, cost: settle(
        name, attempt=attempt, ending=ending, cost_nano_usd=cost if ending == "settle" else 0
    ),
    names,
    attempts,
    st.sampled_from(Ending),
    st.integers(0, 2**40),
)
# Each group is submitted at once, so that its rows may share a transaction.
groups = st.lists(
    st.lists(reserves | endings, min_size=1, max_size=6) | st.sampled_from(OWNERS), max_size=8
)


async def _submit(ledgers: dict[str, Ledger], row: Reserve | Settle) -> bool | type[Exception]:
    owner = row.owner if isinstance(row, Reserve) else OWNERS[0]
    try:
        if isinstance(row, Reserve):
            await ledgers[owner].reserve(row)
            return True
        return await ledgers[owner].settle(row)
    except ValueError:
        return ValueError


async def _run(url: str, steps: list[list[Reserve | Settle] | str]) -> None:
    model = Model()
    ledgers = {owner: Ledger.open(url, owner=owner) for owner in OWNERS}
    for step in steps:
        if isinstance(step, str):
            ledgers[step].close()
            ledgers[step] = Ledger.open(url, owner=f"{step}-reopened")
            assert ledgers[step].sweep() == model.sweep(step)
            ledgers[step].close()
            ledgers[step] = Ledger.open(url, owner=step)
            continue
        for owner in OWNERS:  # the rows of one ledger keep their order, those of two need not
            mine = [r for r in step if (r.owner if isinstance(r, Reserve) else OWNERS[0]) == owner]
            told = await asyncio.gather(*(_submit(ledgers, row) for row in mine))
            assert told == [model.take(row) for row in mine]
    for ledger in ledgers.values():
        ledger.close()
    _compare(url, model)


def _compare(url: str, model: Model) -> None:
    found = audit(url)
    assert found.problems == []
    assert found.total_nano_usd == model.cost()
    assert found.rows == len(model.reserves) + len(model.endings)
    assert found.open_reserves == len(model.reserves.keys() - model.endings.keys())
    assert found.doubt_nano_usd == 2**40 * sum(
        kind == "expire" for kind, _ in model.endings.values()
    )
    assert sum(request.cost_nano_usd for request in requests(url)) == model.cost()
    told = report(url)
    assert {t: s.cost_nano_usd for t, s in told.by_tenant.items()} == {
        tenant: model.cost(tenant) for tenant in {r.tenant for r in model.reserves.values()}
    }
    assert told.total.open_attempts == found.open_reserves


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=30, deadline=None)
@given(steps=groups)
def test_one_ending_and_conservation(name: str, steps: list[list[Reserve | Settle] | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_run(KINDS[name].url(Path(folder)), steps))
