"""What a rule itself asks of its targets, besides the laws: where they run, what may be sent there.

It fails closed as a law does: a target of which it is not known where it runs gets no request of a
rule that asks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from runtime.config import GatewayConfig
from runtime.config_rules import RuleConfig
from runtime.wire.tags import Sensitivity
from scheduler.compliance.compliance_matrix import LOCAL, Allowance
from scheduler.compliance.evaluate_rules import Forbidden
from scheduler.compliance.jurisdictions import outside
from scheduler.compliance.target_facts import TargetFacts


@dataclass(frozen=True, slots=True)
class Restriction:
    """``forbidden`` are targets that never get a request of the rule, with why; ``closed`` are all,
    for requests whose sensitivity is not among ``sensitivities``."""

    sensitivities: frozenset[Sensitivity]
    forbidden: Mapping[str, Forbidden]
    closed: Mapping[str, Forbidden]

    def narrowed(self, allowance: Allowance, sensitivity: Sensitivity) -> Allowance:
        """What the laws leave and the rule, too; where both forbid, the law is named."""
        forbidden = self.forbidden if sensitivity in self.sensitivities else self.closed
        if not forbidden:
            return allowance
        return Allowance(
            allowance.offers - forbidden.keys(),
            allowance.is_local and LOCAL not in forbidden,
            {**forbidden, **allowance.forbidden},
        )


def restriction_of(name: str, rule: RuleConfig, facts: Mapping[str, TargetFacts]) -> Restriction:
    rule_id = f"rules/{name}"
    return Restriction(
        rule.allowed_sensitivity,
        _outside(rule_id, rule.inference_within, facts),
        {target: Forbidden(rule_id, "allowed_sensitivity", is_known=True) for target in facts},
    )


def facts_by_target(config: GatewayConfig, pools: Collection[str] = ()) -> dict[str, TargetFacts]:
    """The facts of the replicas here, which serve the models of ``pools``, and of every offer."""
    found = {LOCAL: config.compliance.own.facts(pools, is_own=True)}
    for name, provider in config.providers.items():
        found |= {
            f"{name}/{offer.name}": provider.facts.facts([model])
            for model, offer in provider.offers.items()
        }
    return found


def _outside(
    rule_id: str, within: Collection[str] | None, facts: Mapping[str, TargetFacts]
) -> dict[str, Forbidden]:
    if within is None:
        return {}
    found = {}
    for target, each in facts.items():
        where = each.inference_jurisdictions
        if where is None or outside(where, within):
            found[target] = Forbidden(rule_id, "inference_jurisdictions", where is not None)
    return found
