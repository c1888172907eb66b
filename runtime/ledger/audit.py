"""The ledger checked against itself, from the first entry.

Every entry is read back, its hash recomputed and its amount added up here, without the views,
indexes and triggers that the reports rely on; then both accounts must agree to the last unit.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.money import NanoUsd
from models.price_terms import cost_again
from runtime.ledger.hash_chain import GENESIS, LedgerEntry, link
from runtime.ledger.open_store import open_store
from runtime.ledger.rows import UNTOLD
from runtime.ledger.storage_errors import explained
from runtime.ledger.store import Reading
from runtime.ledger.usage_report import Sums, UsageReport, report_on

PROBLEMS_MAX = 20  # told one by one; the count of all of them is told always


class Audit(BaseModel):
    """``head`` names everything before it: kept elsewhere, it shows later that nothing of it
    was changed or cut off. ``doubt_nano_usd`` is what expired attempts and estimated purchases may
    have cost at most beyond what is billed for them, apart from ``doubt_unbounded`` expired ones
    whose reserve had no bound."""

    model_config = ConfigDict(frozen=True)

    ok: bool
    rows: int
    chain_intact: bool
    head: str
    open_reserves: int
    open_reserves_live: int
    open_reserves_dead: int  # the next sweep ends them
    total_nano_usd: NanoUsd
    by_tenant: dict[str, NanoUsd]
    by_model: dict[str, NanoUsd]
    by_target: dict[str, NanoUsd]
    expired: int
    estimated: int  # purchases whose vendor did not tell their tokens
    doubt_nano_usd: NanoUsd
    doubt_unbounded: int
    problems: list[str]
    problem_count: int


class _Account:
    """What the entries say, in their order. Holds the open attempts, not all of them."""

    def __init__(self) -> None:
        self.rows = 0
        self.head = GENESIS
        self.chain_intact = True
        self.open: dict[tuple[str, int], LedgerEntry] = {}
        self.total: NanoUsd = 0
        self.by: dict[str, defaultdict[str, NanoUsd]] = {
            name: defaultdict(int) for name in ("tenant", "model", "target")
        }
        self.expired = self.estimated = self.doubt_nano_usd = self.doubt_unbounded = 0
        self.problems: list[str] = []
        self.problem_count = 0

    def problem(self, what: str) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(what)

    def take(self, entry: LedgerEntry) -> None:
        self.rows += 1
        expected = link(self.head, entry[:-1])
        if entry.seq != self.rows or entry.chain != expected:
            self.chain_intact = False
            self.problem(f"entry {entry.seq}: it or an entry before it was changed or removed")
        self.rows, self.head = entry.seq, entry.chain  # one break is one problem
        key = (entry.request_id, entry.attempt)
        if entry.kind == "reserve":
            if key in self.open:
                self.problem(f"entry {entry.seq}: attempt {key} is reserved twice")
            self.open[key] = entry
            for sums in self.by:
                self.by[sums][getattr(entry, sums)] += 0
        elif (reserve := self.open.pop(key, None)) is None:
            self.total += entry.cost_nano_usd or 0
            self.problem(f"entry {entry.seq}: an ending of {key}, which is not open")
        else:
            self._end(reserve, entry)

    def _end(self, reserve: LedgerEntry, ending: LedgerEntry) -> None:
        cost_nano, bound_nano = ending.cost_nano_usd or 0, reserve.bound_nano_usd
        self.total += cost_nano
        for name, sums in self.by.items():
            sums[getattr(reserve, name)] += cost_nano
        if bound_nano is not None and cost_nano > bound_nano:
            self.problem(
                f"entry {ending.seq}: it costs {cost_nano} nano-USD, more than the bound of its "
                f"reserve, {bound_nano}"
            )
        again_nano = _billed_again(reserve, ending)
        if again_nano is not None and again_nano != cost_nano:
            self.problem(
                f"entry {ending.seq}: it costs {cost_nano} nano-USD, and its tokens cost "
                f"{again_nano} at the rates that stand in it"
            )
        if ending.kind == "expire":
            self.expired += 1
            self.doubt_unbounded += bound_nano is None
        elif ending.kind == "settle" and bound_nano is not None and ending.usage_source in UNTOLD:
            self.estimated += 1
        else:
            return
        self.doubt_nano_usd += max(0, (bound_nano or 0) - cost_nano)


def _billed_again(reserve: LedgerEntry, ending: LedgerEntry) -> NanoUsd | None:
    """What an ending should cost; None where it holds no rates of tokens."""
    prompt_tokens = ending.prompt_tokens
    if prompt_tokens is None:
        prompt_tokens = reserve.prompt_tokens_est or 0
    cached_tokens, output_tokens = ending.cached_tokens or 0, ending.completion_tokens or 0
    try:
        nano = cost_again(ending.derivation or "", prompt_tokens, cached_tokens, output_tokens)
    except ValueError:  # counts that cannot be: of an entry that was changed, as its hash shows
        return None
    bound_nano = reserve.bound_nano_usd
    return nano if nano is None or bound_nano is None else min(nano, bound_nano)


def audit(url: str | Path) -> Audit:
    account, store = _Account(), open_store(url)
    with store.reading() as reading:
        for damage in reading.damage():
            account.problem(damage)
        for entry in reading.entries():
            account.take(entry)
        _compare(reading, account)
    owners = [entry.owner or "" for entry in account.open.values()]
    with explained(store.name):
        alive = {owner: store.liveness.is_alive(owner) for owner in set(owners)}
    live = sum(alive[owner] for owner in owners)
    return Audit(
        ok=account.problem_count == 0,
        rows=account.rows,
        chain_intact=account.chain_intact,
        head=account.head.hex(),
        open_reserves=len(account.open),
        open_reserves_live=live,
        open_reserves_dead=len(account.open) - live,
        total_nano_usd=account.total,
        by_tenant=dict(account.by["tenant"]),
        by_model=dict(account.by["model"]),
        by_target=dict(account.by["target"]),
        expired=account.expired,
        estimated=account.estimated,
        doubt_nano_usd=account.doubt_nano_usd,
        doubt_unbounded=account.doubt_unbounded,
        problems=account.problems,
        problem_count=account.problem_count,
    )


def _compare(reading: Reading, account: _Account) -> None:
    """The account against what reports and sweeps read."""
    told: UsageReport = report_on(reading)
    told_by: dict[str, dict[str, Sums]] = {
        "tenant": told.by_tenant,
        "model": told.by_model,
        "target": told.by_target,
    }
    if told.total.cost_nano_usd != account.total:
        account.problem(f"report: its total is {told.total.cost_nano_usd}, not {account.total}")
    for name, sums in account.by.items():
        if sum(sums.values()) != account.total:
            account.problem(f"conservation: the sum by {name} is not the total")
        if {key: sums.cost_nano_usd for key, sums in told_by[name].items()} != sums:
            account.problem(f"report: its costs by {name} differ from the entries")
    indexed = {(found.request_id, found.attempt) for found in reading.open_attempts()}
    if indexed != account.open.keys():
        account.problem("open attempts: their index differs from the entries")
