"""An entry of the ledger, and the hash chain: each entry's hash covers it and the hash before it.

Who edits or removes an entry must rewrite every later hash, or the audit sees it. The chain
has no key: it shows tampering and damage against a ``head`` that was noted elsewhere, and
cannot by itself show that the newest entries were cut off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from runtime.ledger.rows import Row

GENESIS = bytes(32)


class LedgerEntry(NamedTuple):
    """A row as every store holds it. What a reserve does not say is None in it, and so with an
    ending. The order of the fields is that of the hash: a new one goes before ``chain``."""

    seq: int  # 1, 2, 3 and so on, without a gap
    request_id: str
    attempt: int
    kind: str  # "reserve", or the ending
    at_ms: int  # unix time
    owner: str | None
    tenant: str | None
    feature: str | None
    task: str | None
    model: str | None
    target: str | None
    reason: str | None
    price_id: str | None
    prompt_tokens_est: int | None
    output_tokens_max: int | None
    bound_nano_usd: int | None
    outcome: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_nano_usd: int | None
    usage_source: str | None
    derivation: str | None
    held_ms: int | None
    ttft_ms: int | None
    e2e_ms: int | None
    evidence: str | None  # of a reserve
    chain: bytes


class Head(NamedTuple):
    """The newest entry, which everything before it hangs on."""

    seq: int
    chain: bytes


EMPTY = Head(0, GENESIS)
COLUMNS = LedgerEntry._fields[:-1]  # what a hash covers
_FACTS = COLUMNS[1:]  # what a row says, beside the number that it gets

# An Entry without its type: one is made for every row that is written.
Values = tuple[int | str | bytes | None, ...]

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def link(previous: bytes, values: Sequence[int | str | bytes | None]) -> bytes:
    """The hash of an entry, its ``values`` in the order of COLUMNS.

    Absent values are left out, so that a later optional column changes no earlier hash.
    """
    facts = {name: value for name, value in zip(COLUMNS, values, strict=True) if value is not None}
    return blake2b(previous + _encode(facts).encode(), digest_size=32).digest()


def chained(rows: Sequence[Row], head: Head) -> Iterator[Values]:
    """The rows as entries after ``head``."""
    seq, chain = head
    for number, row in enumerate(rows, start=seq + 1):
        facts = (number, *[getattr(row, name, None) for name in _FACTS])
        chain = link(chain, facts)
        yield (*facts, chain)
