"""What may be bought: money per hour, in all and per tenant, and what an offer's provider lets us
send per minute.

A scheduler asks ``refuses`` of every offer that a request could be bought from, and reserves at
the one that it takes, in the same moment. So a budget answers at once and from memory: one that
is shared by several schedulers gives each a part of it beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from scheduler.arrival import Arrival
from scheduler.decision import Refusal
from scheduler.offer import Offer
from scheduler.settings import Settings

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A purchase that this scheduler did not make. It may be told again, with another amount."""

    purchase_id: str
    tenant: str
    nano: int
    at: float
    is_open: bool


class Budget(Protocol):
    """No cap of the ``settings`` and no limit of an offer is passed in any hour, or minute.

    A purchase counts with the most that it can cost from ``reserve`` on, and with what it did cost
    from ``settle`` on. Amounts are in nano-USD, ``now`` is the scheduler's own time.
    """

    def refuses(
        self, arrival: Arrival, offer: Offer, most_nano: int, settings: Settings, now: float
    ) -> Refusal | None:
        """None if the request may be bought there at this moment, at ``most_nano`` at the most."""
        ...

    def reserve(self, arrival: Arrival, offer: Offer, most_nano: int, now: float) -> None:
        """The request is bought: ``refuses`` has just said None of it."""
        ...

    def settle(self, request_id: str, cost_nano: int | None) -> None:
        """It has ended. None where its cost is not known: then the most stays counted."""
        ...

    def on_elsewhere(self, purchase: Elsewhere) -> None:
        """Others have bought, or this scheduler's predecessor: caps count that, too."""
        ...

    def spent_nano(self, now: float) -> int:
        """What all tenants spent in the last hour, in nano-USD, as the caps count it."""
        ...

    def counts(self, offer_id: str, now: float) -> bool:
        """Whether something was sent there so lately that a limit per minute counts it."""
        ...
