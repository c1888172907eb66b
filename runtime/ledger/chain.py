"""The hash chain: each entry's hash covers the entry and the hash before it.

Who edits or removes an entry must rewrite every later hash, or the audit sees it. The chain
has no key: it shows tampering and damage against a ``head`` that was noted elsewhere, and
cannot by itself show that the newest entries were cut off.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b

from runtime.ledger.schema import entries

GENESIS = bytes(32)
COLUMNS = tuple(column.name for column in entries.columns if column.name != "chain")

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def link(previous: bytes, values: Sequence[int | str | None]) -> bytes:
    """The hash of an entry, its ``values`` in the order of COLUMNS.

    Absent values are left out, so that a later optional column changes no earlier hash.
    """
    facts = {name: value for name, value in zip(COLUMNS, values, strict=True) if value is not None}
    return blake2b(previous + _encode(facts).encode(), digest_size=32).digest()
