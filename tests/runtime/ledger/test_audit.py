from __future__ import annotations

import pytest

from runtime.ledger import audit as audit_file
from runtime.ledger.audit import audit
from runtime.ledger.hash_chain import COLUMNS, link
from runtime.ledger.open_store import open_store
from runtime.ledger.rows import Ending, Row, UsageSource
from tests.runtime.ledger.samples import opened, reserve, settle
from tests.runtime.ledger.store_kinds import Change, Edit, Remove, StoreKind, Swap


@pytest.fixture
def full(url: str) -> str:
    """Twenty attempts of two tenants, the last two of them open."""
    rows: list[Row] = []
    for n in range(20):
        bound_nano = 10**n if n < 18 else 5_000
        tenant = ("acme", "globex")[n % 2]
        rows.append(reserve(f"r{n}", tenant=tenant, bound_nano_usd=bound_nano))
        if n < 18:
            rows.append(settle(f"r{n}", cost_nano_usd=10**n))
    appender = open_store(url).appender()
    assert appender.append(rows) == [True] * 38
    appender.close()
    return url


def test_an_honest_ledger_is_ok(full: str) -> None:
    found = audit(full)
    assert (found.ok, found.chain_intact, found.problems) == (True, True, [])
    assert (found.rows, found.total_nano_usd) == (38, int("1" * 18))
    assert found.by_tenant == {"acme": int("01" * 9), "globex": int("10" * 9)}
    assert sum(found.by_model.values()) == sum(found.by_target.values()) == found.total_nano_usd
    assert (found.open_reserves, found.open_reserves_live, found.open_reserves_dead) == (2, 0, 2)


async def test_an_expired_attempt_is_in_doubt_up_to_its_bound(full: str) -> None:
    with opened(full, "boot-2") as ledger:
        await ledger.settle(settle("r18", ending=Ending.EXPIRE, cost_nano_usd=0))
        found = audit(full)
    assert (found.ok, found.expired, found.doubt_nano_usd) == (True, 1, 5_000)
    assert (found.open_reserves_live, found.open_reserves_dead) == (0, 1)


@pytest.mark.parametrize("source", [*UsageSource, "frames"])
async def test_a_purchase_whose_tokens_nobody_told_is_in_doubt_up_to_its_bound(
    full: str, source: str
) -> None:
    with opened(full, "boot-2") as ledger:
        await ledger.settle(settle("r18", cost_nano_usd=1_000, usage_source=source))
        await ledger.reserve(reserve("local", owner="boot-2", bound_nano_usd=None))
        await ledger.settle(settle("local", cost_nano_usd=1_000, usage_source=source))
        found = audit(full)
    assert found.ok
    in_doubt = source in ("estimate", "none", "frames")
    assert (found.estimated, found.doubt_nano_usd) == ((1, 4_000) if in_doubt else (0, 0))


async def test_a_cost_above_its_bound_is_a_problem(full: str) -> None:
    with opened(full, "boot-2") as ledger:
        await ledger.settle(settle("r18", cost_nano_usd=5_001))
        await ledger.settle(settle("r19", cost_nano_usd=5_000))
        found = audit(full)
    assert not found.ok
    assert found.problems == [
        "entry 39: it costs 5001 nano-USD, more than the bound of its reserve, 5000"
    ]


RATES = "price p/m@2026-01-01 (USD per M tokens: input 2.00, cached 0.50, output 4.00)"
BILLED = 102 * 2_000 + 16 * 500 + 40 * 4_000  # of the sample's 118, 16 and 40 tokens


@pytest.mark.parametrize(
    ("derivation", "cost_nano", "is_right"),
    [
        (RATES, BILLED, True),
        (RATES, BILLED - 1, False),
        (RATES.replace("4.00", "4.01"), BILLED, False),
        (f"{RATES}, 10 tokens written to a cache", BILLED, True),
        ("price p/m@2026-01-01", BILLED - 1, True),  # of an older gateway: it holds no rates
    ],
)
async def test_a_bill_is_worked_out_again_from_the_rates_that_stand_in_it(
    full: str, derivation: str, cost_nano: int, is_right: bool
) -> None:
    with opened(full, "boot-2") as ledger:
        await ledger.reserve(reserve("bought", owner="boot-2"))
        await ledger.settle(settle("bought", cost_nano_usd=cost_nano, derivation=derivation))
        found = audit(full)
    assert found.ok is is_right
    assert [line.partition(" nano-USD, and")[0] for line in found.problems] == (
        [] if is_right else [f"entry 40: it costs {cost_nano}"]
    )


async def test_a_bill_that_stopped_at_its_bound_is_right(full: str) -> None:
    with opened(full, "boot-2") as ledger:
        await ledger.settle(settle("r18", cost_nano_usd=5_000, derivation=RATES))
        assert audit(full).ok
        told = {"prompt_tokens": None, "cached_tokens": None, "completion_tokens": None}
        await ledger.reserve(reserve("untold", owner="boot-2"))
        await ledger.settle(settle("untold", cost_nano_usd=240_000, derivation=RATES, **told))
        assert audit(full).ok  # the prompt as it was estimated: 120 tokens


@pytest.mark.parametrize(
    "edit",
    [
        Change(6, "cost_nano_usd", 1),
        Change(5, "tenant", "globex"),
        Change(38, "at_ms", 0),
        Change(7, "chain", bytes(32)),
        Remove((9, 10)),
        Remove((1,)),
        Remove((38, 37, 36, 1)),
        Change(38, "seq", 138),
        Swap(5, 7),
        Swap(1, 2),
        Swap(37, 38),
    ],
    ids=str,
)
def test_tampering_breaks_the_chain(kind: StoreKind, full: str, edit: Edit) -> None:
    kind.edit(full, edit)
    found = audit(full)
    assert not found.ok
    assert not found.chain_intact


@pytest.mark.parametrize("field", COLUMNS)
def test_every_field_of_an_entry_is_proven(kind: StoreKind, full: str, field: str) -> None:
    """Of a reserve and of an ending, whichever says it."""
    with open_store(full).reading() as reading:
        reserve, ending, *_ = reading.entries()
    entry = reserve if getattr(reserve, field) is not None and field != "kind" else ending
    value = getattr(entry, field)
    other = value + 1_000 if isinstance(value, int) else "void" if field == "kind" else f"{value}x"
    kind.edit(full, Change(entry.seq, field, other))
    assert not audit(full).chain_intact


def test_a_cut_tail_shows_against_a_noted_head(kind: StoreKind, full: str) -> None:
    head = audit(full).head
    kind.edit(full, Remove((38,)))
    assert audit(full).head != head


def test_an_index_that_lies_is_caught(kind: StoreKind, full: str) -> None:
    """Sweeps read the index of open attempts; the audit reads the entries."""
    kind.edit(full, Remove((38,)))  # an entry without what the rules keep beside it
    assert "open attempts: their index differs from the entries" in audit(full).problems


def test_many_problems_are_counted_and_the_first_are_told(
    kind: StoreKind, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_file, "PROBLEMS_MAX", 2)
    kind.edit(full, *(Change(seq, "at_ms", 0) for seq in range(1, 39)))
    found = audit(full)
    assert (len(found.problems), found.problem_count) == (2, 38)


def test_a_gap_shows_even_where_the_chain_was_made_anew(kind: StoreKind, full: str) -> None:
    """Who can cut the newest entries off can also write one behind the gap."""
    with open_store(full).reading() as reading:
        *_, before, last = reading.entries()
    moved = last._replace(seq=40)
    chain = link(before.chain, moved[:-1])
    kind.edit(full, Change(38, "chain", chain), Change(38, "seq", 40))
    found = audit(full)
    assert not found.chain_intact
    assert found.problems == ["entry 40: it or an entry before it was changed or removed"]
