"""Where a request can go: a replica of ours, or an offer of a provider."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TargetKind(StrEnum):
    LOCAL = "local"  # a replica; its id is the replica's
    OFFER = "offer"  # bought; its id is the offer's

    @property
    def prefix(self) -> str:
        """How the word for a target of this kind begins."""
        return f"{self.value}:"


@dataclass(frozen=True, slots=True)
class Target:
    """Its text, ``local:<replica>`` or ``offer:<provider>/<model>``, is the word for it in
    headers, the ledger, logs, spans and metrics."""

    kind: TargetKind
    id: str

    def __str__(self) -> str:
        return self.kind.prefix + self.id


@dataclass(frozen=True, slots=True)
class Incarnation:
    """A target in one boot: a replica that starts again is another. Offers do not boot."""

    target: Target
    generation: int | None
