"""All that is counted while a run goes on: sums and histograms, nothing per request.

A request ends in one of four ways: answered here, answered by an offer, refused, or broken off.
It is *met* when it was answered within its budget: its first token by the latency budget, or for
the off-peak lane its last one by its deadline. Otherwise it is missed, and is charged as if it had
been bought in time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields

from benchmarks.simulation.by_model import ModelCounts
from benchmarks.simulation.histogram import Histogram
from benchmarks.simulation.pools import SimPool
from benchmarks.simulation.series import Series
from benchmarks.simulation.workload import Request, SimOffer
from models.money import NanoUsd
from scheduler.arrival import Arrival
from scheduler.routing.rule import Choose
from scheduler.target import Target

LATE_S = 1e-9  # what adding up times may be off by


@dataclass(slots=True, eq=False)
class Passage:
    """One request under way, until it ends."""

    request: Request
    arrival: Arrival
    target: Target | None = None  # None: without one, perhaps held
    model: str = ""  # of its last target
    attempts: int = 0
    paid_nano: NanoUsd | None = None  # None: not bought
    first_token_s: float | None = None


@dataclass(slots=True, eq=False)
class Run:
    """Fields with a default are counts; the others say what is run."""

    pools: tuple[SimPool, ...]
    policy: str
    lengths: str
    seed: int
    duration_s: float  # the horizon: in which requests arrive
    load: float | None
    offers: dict[str, SimOffer]
    requests: int = 0
    decisions: int = 0
    met: int = 0
    missed: int = 0
    local: int = 0  # answered here
    bought: int = 0  # answered by an offer
    refused: int = 0
    broken_off: int = 0
    given_up: int = 0  # still under way when the run was ended
    retries: int = 0
    pinned_bought: int = 0
    paid_nano: NanoUsd = 0
    missed_nano: NanoUsd = 0
    buy_all_nano: NanoUsd = 0
    scheduler_ns: int = 0
    ended_s: float = 0.0
    busy_s: float = 0.0  # of all replicas, up to the horizon; so is the next
    useful_s: float = 0.0
    prompt_tokens: int = 0  # sent to replicas
    hit_tokens: int = 0
    preemptions: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    by_model: defaultdict[str, ModelCounts] = field(
        default_factory=lambda: defaultdict(ModelCounts)
    )
    held: Histogram = field(default_factory=Histogram)
    ttft_local: Histogram = field(default_factory=Histogram)
    ttft_bought: Histogram = field(default_factory=Histogram)
    series: Series = field(default_factory=Series)

    @property
    def replicas(self) -> int:
        return sum(pool.replicas for pool in self.pools)

    def start_over(self) -> None:
        """What was counted until here was a warm-up."""
        for each in fields(self):
            if each.default is not MISSING:
                setattr(self, each.name, each.default)
            elif each.default_factory is not MISSING:
                setattr(self, each.name, each.default_factory())

    def charge_nano(self, request: Request) -> NanoUsd:
        return charge_nano(request, self.offers)

    def on_arrival(self, request: Request) -> None:
        self.requests += 1
        self.buy_all_nano += self.charge_nano(request)
        self.by_model[request.models[0]].asked += 1

    def on_decision(self, request: Request, reason: str, now: float) -> None:
        self.decisions += 1
        self.reasons[reason] += 1
        self.held.add((now - request.at_s) * 1000)

    def on_paid(self, offer: SimOffer, paid_nano: NanoUsd) -> None:
        self.paid_nano += paid_nano
        self.by_model[offer.model].paid_nano += paid_nano

    def on_answered(self, passage: Passage, now: float) -> None:
        """Its last token has come."""
        request = passage.request
        first_s = now if passage.first_token_s is None else passage.first_token_s
        is_bought = passage.paid_nano is not None
        self.bought += is_bought
        self.local += not is_bought
        of_model = self.by_model[passage.model]
        of_model.bought += is_bought
        of_model.answered += not is_bought
        of_model.substituted += not is_bought and passage.model != passage.arrival.model
        if request.deadline_s is None:
            is_met = first_s <= request.at_s + request.ttft_budget_ms / 1000 + LATE_S
            ttft = self.ttft_bought if is_bought else self.ttft_local
            ttft.add((first_s - request.at_s) * 1000)
        else:
            is_met = now <= request.deadline_s + LATE_S
        if is_met:
            self.met += 1
        else:
            self.on_missed(passage)

    def on_missed(self, passage: Passage) -> None:
        """Answered late or not at all. What was bought is paid for already."""
        of_model = self.by_model[passage.request.models[0]]
        self.missed += 1
        of_model.missed += 1
        if passage.paid_nano is None:
            charge_nano = self.charge_nano(passage.request)
            self.missed_nano += charge_nano
            of_model.missed_nano += charge_nano


def charge_nano(request: Request, offers: Mapping[str, SimOffer]) -> NanoUsd:
    """What the request costs at the cheapest of its offers, since it is known to the last token;
    at the dearest of all if it may not be bought. By a rule that buys in order, its offers are
    those of its first model that has any."""
    if not request.offer_ids:
        return max((cost_nano(offer, request) for offer in offers.values()), default=0)
    own = [offers[offer_id] for offer_id in request.offer_ids]
    if request.rule.choose is not Choose.CHEAPEST:
        sold = {offer.model for offer in own}
        first = next((model for model in request.models if model in sold), None)
        own = [offer for offer in own if offer.model == first]
    return min(cost_nano(offer, request) for offer in own)


def cost_nano(offer: SimOffer, request: Request) -> NanoUsd:
    """What the request costs there. A provider does not hold our prefixes: none is cached."""
    return offer.price.cost_nano(request.prompt_tokens, 0, request.output_tokens)
