"""What a drill does to targets: which ones, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cluster.drill.gateway_copy import GatewayCopy, pool_name
from cluster.drill.scenario import Scenario
from runtime.config import GatewayConfig
from scheduler.compliance.jurisdictions import ANYWHERE
from scheduler.compliance.policy_pack import PolicyRule, Require, When

SLOW_S = 3.0
NOBODY_HAS = "a document that nobody has"


@dataclass(frozen=True, slots=True)
class Incident:
    """One scenario at some targets, by their names in a copy; ``what`` ends "what if"."""

    scenario: Scenario
    what: str
    targets: tuple[str, ...] = ()

    async def happen(self, copy: GatewayCopy) -> None:
        for name in self.targets:
            target = copy.targets[name]
            match self.scenario:
                case Scenario.OUTAGE | Scenario.REGION:
                    await target.stop()
                case Scenario.SLOW:
                    target.slow(SLOW_S)
                case _:
                    target.limit_rate()
        if self.scenario is Scenario.EMPTY_MATRIX:
            copy.gateway.reconfigure(with_empty_matrix(copy.gateway.config))


def with_empty_matrix(config: GatewayConfig) -> GatewayConfig:
    """The configuration with one more rule, which asks every target for what none has stated."""
    rule = PolicyRule("drill/nothing-allowed", When(), Require(documents=frozenset({NOBODY_HAS})))
    return config.model_copy(update={"compliance": config.compliance.with_rule(rule)})


def incidents(
    scenarios: Sequence[Scenario], config: GatewayConfig, pools: Sequence[str], first: Sequence[str]
) -> Iterator[Incident]:
    """``first`` are the targets that somebody's requests go to first, by their names in a copy."""
    for scenario in scenarios:
        match scenario:
            case Scenario.OUTAGE:
                yield from (Incident(scenario, f"{name} is down", (name,)) for name in first)
            case Scenario.SLOW:
                what = f"takes {SLOW_S:g} s to its first token"
                yield from (Incident(scenario, f"{name} {what}", (name,)) for name in first)
            case Scenario.RATE_LIMITS:
                sellers = [name for name in first if name in config.providers]
                for name in sellers:
                    yield Incident(scenario, f"{name} answers 429 to everything", (name,))
            case Scenario.REGION:
                yield from _regions(config, pools)
            case Scenario.EMPTY_MATRIX:
                yield Incident(scenario, "no target may have any request")


def _regions(config: GatewayConfig, pools: Sequence[str]) -> Iterator[Incident]:
    """Every place where somebody says that a target runs; one that may run anywhere stays up."""
    where = {name: each.facts.inference_jurisdictions for name, each in config.providers.items()}
    own = config.compliance.own.inference_jurisdictions
    where |= {pool_name(model): own for model in pools}
    for region in sorted({place for places in where.values() for place in places or ()}):
        lost = tuple(name for name, places in where.items() if places == frozenset({region}))
        if region != ANYWHERE and lost:
            yield Incident(Scenario.REGION, f"region {region} is lost ({', '.join(lost)})", lost)
