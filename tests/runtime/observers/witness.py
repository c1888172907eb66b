"""An observer that remembers what it was told, and what the order of it must be."""

from __future__ import annotations

import re
from collections import defaultdict

from runtime.errors import BaseloadError
from runtime.ledger.rows import Reserve, Settle
from runtime.observer import Observer, Sample
from runtime.request.job import Job
from runtime.request.request_record import RequestRecord
from scheduler.arrival import Arrival
from scheduler.decision import Buy, Dispatch, Reject

# Accepted; then Decided, Reserved, First token and Ended for each attempt as far as it came; then
# Over, or refused (X), which follows on a reJection at once. Or refused as it was read.
ORDER = re.compile(r"A(D((RF?)?E)?)*(O|J?X)|X")


class Witness(Observer):
    def __init__(self) -> None:
        self.told: defaultdict[str, str] = defaultdict(str)  # a letter for each event, by request
        self.decisions: list[Dispatch | Buy | Reject] = []
        self.reserves: list[Reserve] = []
        self.settles: list[Settle] = []
        self.errors: dict[str, BaseloadError] = {}
        self.samples: list[Sample] = []

    def accepted(self, job: Job) -> None:
        self.told[job.request_id] += "A"

    def decided(self, arrival: Arrival, decision: Dispatch | Buy | Reject) -> None:
        self.told[arrival.request_id] += "J" if isinstance(decision, Reject) else "D"
        self.decisions.append(decision)

    def reserved(self, job: Job, row: Reserve) -> None:
        self.told[job.request_id] += "R"
        self.reserves.append(row)

    def first_token(self, job: Job, ttft_ms: int) -> None:
        assert ttft_ms >= 0
        self.told[job.request_id] += "F"

    def attempt_ended(self, job: Job, decision: Dispatch | Buy, row: Settle) -> None:
        self.told[job.request_id] += "E"
        self.settles.append(row)

    def refused(self, record: RequestRecord, error: BaseloadError) -> None:
        self.told[record.request_id] += "X"
        self.errors[record.request_id] = error

    def ended(self, job: Job) -> None:
        self.told[job.request_id] += "O"

    def sampled(self, sample: Sample) -> None:
        self.samples.append(sample)

    def out_of_order(self) -> dict[str, str]:
        """Requests that were not told as they must be, once no request is under way."""
        return {name: told for name, told in self.told.items() if not ORDER.fullmatch(told)}
