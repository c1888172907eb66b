"""What other gateways have bought, as the ledger tells it: those before this one, and those
beside it, as in a rolling upgrade."""

from __future__ import annotations

from dataclasses import dataclass

from models.money import NanoUsd
from runtime.ledger.rows import Ending
from runtime.ledger.store import Store, StoredPurchase

LATE_MS = 60_000  # so much later than it is dated, a row may have been written


@dataclass(frozen=True, slots=True)
class Purchase:
    """An attempt at an offer. ``nano_usd`` is what it cost; what it can cost at most while it is
    under way, and for good where its gateway died, for then nobody knows."""

    request_id: str
    attempt: int
    tenant: str
    at_ms: int  # unix time of its reserve
    nano_usd: NanoUsd
    is_open: bool

    @property
    def key(self) -> tuple[str, int]:
        return self.request_id, self.attempt


class Purchases:
    """Reads on where it left off. Not for two threads at once."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner  # this gateway, which knows what it buys
        self._seq: int | None = None  # up to here the entries are known
        self._open: dict[tuple[str, int], int] = {}  # the known ones under way, by their entry

    def news(self, since_ms: int) -> list[Purchase]:
        """Purchases that were not told of before, and the endings of those that were told as
        open, in their order. The first time, before this gateway has bought anything: all that
        were reserved from ``since_ms`` on."""
        with self._store.reading() as reading:
            last_seq = reading.last_seq()
            found = reading.ended_purchases(self._open.values())
            if self._seq is None:
                older_seq = reading.last_seq_before(since_ms - LATE_MS)
                found += reading.purchases(older_seq, since_ms)
            else:
                found += reading.purchases(self._seq, since_ms, not_of=self._owner)
        self._seq = last_seq
        return [self._noted(each) for each in found]

    def _noted(self, found: StoredPurchase) -> Purchase:
        cost_nano = found.cost_nano_usd
        if cost_nano is None or found.kind == Ending.EXPIRE.value:
            cost_nano = found.bound_nano_usd or 0
        purchase = Purchase(
            request_id=found.request_id,
            attempt=found.attempt,
            tenant=found.tenant,
            at_ms=found.at_ms,
            nano_usd=cost_nano,
            is_open=found.kind is None,
        )
        if purchase.is_open:
            self._open[purchase.key] = found.seq
        else:
            self._open.pop(purchase.key, None)
        return purchase
