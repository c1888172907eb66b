"""What became of requests at each model of a run: whose engines answered, what was bought."""

from __future__ import annotations

from dataclasses import dataclass

from models.money import NANO_PER_USD, NanoUsd


@dataclass(slots=True)
class ModelCounts:
    """``missed`` requests are the first choice's; all else is the model's that answered."""

    asked: int = 0  # requests whose first choice it was
    answered: int = 0  # by its pool
    substituted: int = 0  # of those: by its pool, in place of their first choice
    bought: int = 0
    missed: int = 0
    paid_nano: NanoUsd = 0
    missed_nano: NanoUsd = 0

    @property
    def paid_usd(self) -> float:
        return self.paid_nano / NANO_PER_USD

    @property
    def missed_usd(self) -> float:
        return self.missed_nano / NANO_PER_USD

    def as_json(self) -> dict[str, object]:
        return {
            "asked": self.asked,
            "answered": self.answered,
            "substituted": self.substituted,
            "bought": self.bought,
            "missed": self.missed,
            "paid_usd": self.paid_usd,
            "missed_usd": self.missed_usd,
        }
