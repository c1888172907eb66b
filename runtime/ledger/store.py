"""What the ledger needs of a store, whatever holds the rows.

    Store        one place with one ledger in it; ``open_store`` makes it from a URL
    Appender     its way in: one per process, used by one thread at a time
    Reading      its way out: everything that is read through it is of one moment
    FeedbackWriter  the way in of what callers say of answers, which is no part of the bills

Failures of any of them are LedgerUnavailable, with a line for the operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from models.money import NanoUsd
from runtime.ledger.hash_chain import LedgerEntry
from runtime.ledger.liveness import Liveness
from runtime.ledger.rows import Row

Answer = bool | ValueError  # written; its ending exists already; or why it cannot be written


class Appender(Protocol):
    def append(self, rows: Sequence[Row]) -> list[Answer]:
        """Writes the rows in one transaction and answers in their order. Whatever is answered True
        is durable.

        An attempt has one reserve, and after it one ending. A row that contradicts that is answered
        and not written, and the rest of its batch is written all the same.

        After LedgerUnavailable nothing was written, or nobody knows: no row can be tried again
        before the store is opened anew.
        """

    def close(self) -> None: ...


class OpenAttempt(NamedTuple):
    """A reserve that has no ending yet."""

    request_id: str
    attempt: int
    owner: str
    reserved_at_ms: int  # unix time


class Attempt(NamedTuple):
    """A reserve beside its ending, whose fields are None while the attempt is open."""

    request_id: str
    attempt: int
    reserved_at_ms: int  # unix time
    owner: str
    tenant: str
    feature: str
    task: str
    model: str
    target: str
    reason: str
    price_id: str
    bound_nano_usd: NanoUsd | None
    ending: str | None
    ended_at_ms: int | None
    outcome: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_nano_usd: NanoUsd | None
    usage_source: str | None
    derivation: str | None
    held_ms: int | None
    ttft_ms: int | None
    e2e_ms: int | None


class UsageSum(NamedTuple):
    """The sums of a set of attempts. ``group`` is what they have in common."""

    group: tuple[str, ...]
    requests: int
    attempts: int
    open_attempts: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_nano_usd: NanoUsd


class TargetUse(NamedTuple):
    """A target from its first reserve to its last ending. ``derivation`` is of one of its bills."""

    first_ms: int
    last_ms: int
    cost_nano_usd: NanoUsd
    derivation: str | None


class Exposure(NamedTuple):
    """What purchases can cost beyond what is billed for them."""

    attempts: int
    nano_usd: NanoUsd


class Exposures(NamedTuple):
    under_way: Exposure
    expired: Exposure
    untold: Exposure  # their vendor told no tokens


class StoredPurchase(NamedTuple):
    """An attempt at an offer. ``kind`` is its ending, None while it is open."""

    seq: int  # of its reserve
    request_id: str
    attempt: int
    tenant: str
    at_ms: int  # unix time of its reserve
    bound_nano_usd: NanoUsd | None
    kind: str | None
    cost_nano_usd: NanoUsd | None


class Feedback(NamedTuple):
    """What a caller said of the answer to a request: the first word counts, and is kept. ``task``
    and ``language`` are those by which the model was chosen, "" where unknown."""

    request_id: str
    tenant: str
    model: str
    task: str
    language: str
    score: float  # 0 to 1
    at_ms: int  # unix time at which it was said
    answered_ms: int  # and at which the answer had ended


class FeedbackSum(NamedTuple):
    """Scores of one day's answers. Days are counted from the beginning of unix time, in UTC."""

    model: str
    task: str
    language: str
    day: int
    score_total: float
    results: int


class FeedbackWriter(Protocol):
    def record(self, row: Feedback) -> Feedback:
        """``row``, which is durable then; or what was said of its request before, which stays."""

    def close(self) -> None: ...


class Reading(Protocol):
    """Entries become visible in the order of their ``seq``: who has seen one has seen all before
    it, and reads on from there."""

    def last_seq(self) -> int:
        """The number of the newest entry, 0 while there is none."""

    def entries(self) -> Iterator[LedgerEntry]:
        """All of them, in their order, and as they are stored: no index, view or sum is used."""

    def entries_of(self, request_id: str) -> list[LedgerEntry]:
        """The entries of one request, each attempt's reserve and then its ending."""

    def damage(self) -> list[str]:
        """What is wrong with the store itself: its structure, and rules that are missing in it."""

    def open_attempts(
        self, owner: str | None = None, rows_max: int | None = None
    ) -> list[OpenAttempt]:
        """Those of one owner, or of all."""

    def owners_of_open_attempts(self) -> list[str]: ...

    def attempts(self, tenant: str | None = None) -> Iterator[Attempt]:
        """The attempts by request and number, of one tenant or of all."""

    def usage(self, *by: str) -> list[UsageSum]:
        """Summed by some of an Attempt's fields, in their order; without one, over everything."""

    def target_use(self, prefix: str) -> list[TargetUse]:
        """The use of each target whose name begins so."""

    def exposures(self) -> Exposures: ...

    def purchases(
        self, after_seq: int, since_ms: int, not_of: str | None = None
    ) -> list[StoredPurchase]:
        """Reserved after an entry and at a time or later, by other owners than ``not_of``."""

    def ended_purchases(self, seqs: Iterable[int]) -> list[StoredPurchase]:
        """Those of the reserves with these numbers that have an ending by now."""

    def last_seq_before(self, at_ms: int) -> int:
        """The newest reserve that is dated before, 0 if there is none."""

    def last_feedback_seq(self) -> int:
        """The number of the newest feedback, 0 while there is none; read on from there, too."""

    def feedback_sums(self, after_seq: int, since_ms: int) -> list[FeedbackSum]:
        """The sums of feedback after a number, to answers that had ended at a time or later."""


class Store(Protocol):
    @property
    def name(self) -> str:
        """The name by which an operator knows it, without a secret."""

    @property
    def liveness(self) -> Liveness:
        """The liveness of the owners that write here."""

    def appender(self) -> Appender:
        """Makes the store or brings it to this version, and proves that it is durable."""

    def feedback_writer(self) -> FeedbackWriter:
        """A writer of feedback, for a store that an appender has made. Used by one thread at a
        time."""

    def reading(self) -> AbstractContextManager[Reading]:
        """Makes and changes nothing."""

    def host_file(self, what: str) -> Path:
        """Where the processes of this host that use the store share a file of that name."""
