"""A simulated request as the scheduler is told of it, at each model that may answer.

Its steps come from the same plan that a gateway makes of a rule. What a rule asks of a model's
abilities, its quality and its longest answer's cost is not simulated: all that has a pool or an
offer may answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.simulation.forecast import Forecast
from benchmarks.simulation.pools import SimPool
from benchmarks.simulation.workload import Request, SimOffer
from scheduler.arrival import Arrival
from scheduler.compliance.compliance_matrix import LOCAL, Allowance
from scheduler.routing.quality_table import NOT_ASKED
from scheduler.routing.routing_plan import CandidateStanding, Place, Step, plan
from scheduler.routing.rule import ANY_ABILITY, Choose, Needs, Substitute
from scheduler.state_machine import Scheduler


class Arrivals:
    def __init__(
        self,
        scheduler: Scheduler,
        lengths: Forecast,
        pools: Sequence[SimPool],
        offers: Sequence[SimOffer],
        block_tokens: int,
    ) -> None:
        self._scheduler = scheduler
        self._lengths = lengths
        self._served = frozenset(pool.model for pool in pools)
        self._offers = tuple(offers)
        self._block_tokens = block_tokens

    def of(self, request: Request, now: float) -> Arrival:
        """``now`` is the moment at which its models are compared."""
        if len(request.models) == 1:
            return self._at(request, request.models[0])
        by_model = {model: self._at(request, model) for model in request.models}
        steps = self._steps(request, by_model, now)
        first, *others = [_allowed(by_model[step.model], step) for step in steps]
        is_cheapest = request.rule.choose is Choose.CHEAPEST
        return replace(first, alternatives=tuple(others), buys_cheapest=is_cheapest)

    def _at(self, request: Request, model: str) -> Arrival:
        curve = self._lengths.curve(request, model)
        deadline_ms = None
        if request.deadline_s is not None:
            deadline_ms = round((request.deadline_s - request.at_s) * 1000)
        return Arrival(
            request_id=request.request_id,
            tenant=request.tenant,
            model=model,
            prompt_tokens=request.prompt_tokens,
            output_tokens=round(curve.mean(request.max_output_tokens)),
            max_output_tokens=request.max_output_tokens,
            ttft_budget_ms=request.ttft_budget_ms,
            lengths=curve,
            blocks=request.blocks,
            block_tokens=self._block_tokens,
            offers=frozenset(request.offer_ids),
            deadline_ms=deadline_ms,
        )

    def _steps(self, request: Request, by_model: dict[str, Arrival], now: float) -> Sequence[Step]:
        standings = [
            CandidateStanding(candidate, ANY_ABILITY, NOT_ASKED, self._places(arrival, now))
            for candidate, arrival in zip(request.rule.candidates, by_model.values(), strict=True)
        ]
        everything = Allowance(frozenset(request.offer_ids), is_local=True, forbidden={})
        return plan(request.rule, standings, Needs(), everything).steps

    def _places(self, arrival: Arrival, now: float) -> list[Place]:
        places: list[Place] = []
        if arrival.model in self._served:
            places.append(Place(LOCAL, self._scheduler.charge_nano(arrival, now), None))
        tokens = arrival.prompt_tokens, 0, arrival.output_tokens
        return places + [
            Place(offer.offer_id, offer.price.cost_nano(*tokens), None)
            for offer in self._offers
            if offer.model == arrival.model
        ]


def _allowed(arrival: Arrival, step: Step) -> Arrival:
    return replace(
        arrival,
        offers=step.offers,
        is_local_allowed=step.is_local,
        is_substitute=step.substitute is Substitute.OVERLOAD,
    )
