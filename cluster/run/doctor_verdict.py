"""One line of what `baseload doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DoctorVerdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """``advice`` is what to do; empty where all is well."""

    name: str
    verdict: DoctorVerdict
    found: str
    advice: str = ""
