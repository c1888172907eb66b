"""The two rows of an attempt: the intent before any work, and its one ending.

A row checks itself when it is built, so that one malformed row fails its own caller and never
the transaction that it would have shared with others.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

TEXT_BYTES_MAX = 1024  # of one text field: identifiers and one-line explanations, no prose
EVIDENCE_BYTES_MAX = 16 * 1024  # of why a target was or was not allowed, which is JSON
NO_TARGET = "none"  # the target of a refusal, which has the rows of an attempt that was not made
INT_MAX = 2**63 - 1  # what the store can hold


class Ending(StrEnum):
    SETTLE = "settle"  # work was done: the row says what it cost
    VOID = "void"  # no work was done
    EXPIRE = "expire"  # the owner died first: what was done is in doubt, up to the bound


class UsageSource(StrEnum):
    """Who says how many tokens an attempt took."""

    TARGET = "target"
    LIMIT = "limit"  # the target says more than can be: then it is the most that can be
    ESTIMATE = "estimate"  # of a count that the target did not tell, from what it sent
    NONE = "none"  # nobody


# The cost of a purchase whose tokens its vendor did not tell is in doubt, up to the bound.
# "frames" is in ledgers of older versions.
UNTOLD = (UsageSource.ESTIMATE.value, UsageSource.NONE.value, "frames")


@dataclass(frozen=True, slots=True)
class Reserve:
    """The row of an intent. ``bound_nano_usd`` is the most it can cost, None where no price is
    known; ``evidence`` is what the request was taken for and who might have it, as JSON."""

    request_id: str
    attempt: int
    owner: str  # boot id of the gateway process
    at_ms: int  # unix time
    tenant: str
    feature: str
    task: str
    model: str
    target: str
    reason: str
    price_id: str
    prompt_tokens_est: int
    output_tokens_max: int
    bound_nano_usd: int | None
    evidence: str | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def key(self) -> tuple[str, int]:
        return self.request_id, self.attempt

    @property
    def kind(self) -> str:
        return "reserve"


@dataclass(frozen=True, slots=True)
class Settle:
    """The row of an ending. Token counts are None where nobody reported them, never 0."""

    request_id: str
    attempt: int
    at_ms: int  # unix time
    ending: Ending
    outcome: str
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_nano_usd: int
    usage_source: str  # a UsageSource
    derivation: str  # how the cost was derived, for a reader
    held_ms: int
    ttft_ms: int | None
    e2e_ms: int

    def __post_init__(self) -> None:
        _check(self)

    @property
    def key(self) -> tuple[str, int]:
        return self.request_id, self.attempt

    @property
    def kind(self) -> str:
        return self.ending.value


Row = Reserve | Settle

_TYPES = {"int": int, "int | None": int, "str": str, "str | None": str, "Ending": Ending}
_BYTES_MAX = {"evidence": EVIDENCE_BYTES_MAX}


# name, type, whether None is meant, and the most bytes that a text may have, per field.
_SHAPES: dict[type[Row], list[tuple[str, type[Any], bool, int]]] = {
    row_type: [
        (
            each.name,
            _TYPES[str(each.type)],
            "None" in str(each.type),
            _BYTES_MAX.get(each.name, TEXT_BYTES_MAX),
        )
        for each in fields(row_type)
    ]
    for row_type in (Reserve, Settle)
}


def _check(row: Row) -> None:
    for name, kind, optional, bytes_max in _SHAPES[type(row)]:
        value = getattr(row, name)
        # What most are: looked at once, since this is done for every row.
        if type(value) is kind:
            if kind is int and 0 <= value <= INT_MAX:
                continue
            if kind is str and len(value) <= bytes_max and value.isascii():
                continue
        if value is None and optional:
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{name} must be {kind.__name__}, not {type(value).__name__}")
        if isinstance(value, str):
            if len(value.encode()) > bytes_max:
                raise ValueError(f"{name} must be at most {bytes_max} bytes of text")
        elif not 0 <= value <= INT_MAX:
            raise ValueError(f"{name} must be from 0 to {INT_MAX}, not {value}")
