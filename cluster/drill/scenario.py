"""What a drill can play. By itself, so that the command line need not load a gateway to name it."""

from __future__ import annotations

from enum import StrEnum


class Scenario(StrEnum):
    OUTAGE = "outage"
    SLOW = "slow"
    RATE_LIMITS = "rate-limits"
    REGION = "region"
    EMPTY_MATRIX = "empty-matrix"
