"""What a drill found, as its documents have it."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True)


class Misplaced(_Form):
    """A request that went where it may not go; ``seen_by`` is "target" or "ledger"."""

    target: str
    why: str
    seen_by: str
    asked: str = ""
    tenant: str = ""
    sensitivity: str = ""
    request_id: str = ""


class Ending(_Form):
    """How requests ended alike: answered by a model at a target, or refused with a code."""

    requests: int
    model: str = ""
    target: str = ""  # "local" or an offer's id
    code: str = ""  # empty where they were answered
    status: int | None = None


class Side(_Form):
    """What came of a kind of requests, before the fault or with it; the most frequent ending comes
    first. Times are of answers, in ms from a request to its first token."""

    requests: int
    answered: int
    endings: list[Ending]
    ttft_ms_p50: float | None
    ttft_ms_p99: float | None
    attempts_per_request: float | None
    attempts_max: int
    bought: int
    bought_usd: str
    bought_usd_per_1000: str


class Line(_Form):
    """One kind of requests. ``data`` is plain or personal. What a request waited longer for its
    first token with the fault is counted from the median of its kind before, in ms. A kind is
    affected that was, or is now, answered by a target that fails, or ends otherwise than before."""

    asked: str
    tenants: list[str]
    user_in: str | None
    data: str
    sensitivity: str
    before: Side
    during: Side
    added_ttft_ms_p50: float | None
    added_ttft_ms_p99: float | None
    is_affected: bool


class IncidentReport(_Form):
    """``verdict`` are sentences, the gravest first. What is added is over all requests of kinds
    that the fault affects; by ``noise_ms`` the others differ from before."""

    scenario: str
    what: str
    targets: list[str]
    verdict: list[str]
    misplaced: list[Misplaced]
    total_before: Side
    total_during: Side
    added_ttft_ms_p50: float | None
    added_ttft_ms_p99: float | None
    noise_ms: float
    lines: list[Line]


class DrillReport(_Form):
    config: str
    as_of: date
    seconds: float
    rate_per_s: float
    notes: list[str]
    incidents: list[IncidentReport]

    @property
    def misplaced(self) -> int:
        return sum(len(each.misplaced) for each in self.incidents)
