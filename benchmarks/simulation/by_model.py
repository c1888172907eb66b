"""What became of requests at each model of a run: whose engines answered, what was bought."""

from __future__ import annotations

from dataclasses import dataclass

from models.money import NanoUsd


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
