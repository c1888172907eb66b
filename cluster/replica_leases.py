"""Who is alive, by leases: a pure table that forgets whoever stops renewing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.replica import Replica

LEASE_S = 6.0
RENEW_S = 2.0
REPLICAS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Registration:
    """What an engine replica tells the directory about itself."""

    replica: Replica
    base_url: str
    token: str

    @property
    def replica_id(self) -> str:
        return self.replica.replica_id

    def __repr__(self) -> str:  # the token stays out of logs
        return f"Registration({self.replica_id}, {self.base_url})"


@dataclass(frozen=True, slots=True)
class Listing:
    """What the directory knows. ``seen`` differs for any two different listings.

    A directory that has just started has not heard from everyone: ``complete`` is False, and who
    is missing from the list may still be there.
    """

    seen: tuple[int, int, bool]
    entries: tuple[Registration, ...]
    complete: bool

    def onto(self, known: Mapping[str, Registration]) -> dict[str, Registration]:
        """The registrations by replica id; ``known`` is what was listed before."""
        told = {entry.replica_id: entry for entry in self.entries}
        return told if self.complete else {**known, **told}


class Leases:
    """``version`` grows with each change of membership, not with each renewal."""

    def __init__(self) -> None:
        self.version = 0
        self._until_s: dict[str, float] = {}
        self._entries: dict[str, Registration] = {}

    def renew(self, entry: Registration, now: float) -> None:
        if entry.replica_id not in self._entries and len(self._entries) >= REPLICAS_MAX:
            raise ValueError(f"more than {REPLICAS_MAX} replicas")
        if self._entries.get(entry.replica_id) != entry:
            self._entries[entry.replica_id] = entry
            self.version += 1
        self._until_s[entry.replica_id] = now + LEASE_S

    def leave(self, replica_id: str) -> None:
        if self._entries.pop(replica_id, None) is not None:
            del self._until_s[replica_id]
            self.version += 1

    def expire(self, now: float) -> None:
        for replica_id in [name for name, until_s in self._until_s.items() if until_s < now]:
            self.leave(replica_id)

    def entries(self) -> list[Registration]:
        return list(self._entries.values())
