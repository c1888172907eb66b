"""A shipped example of a configuration, and what becomes of requests under it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from models.price_book import load_price_book
from runtime.config import load_config
from runtime.routing.apply_rules import Asked, routing_of
from runtime.routing.rule_restriction import facts_by_target
from runtime.wire.tags import Sensitivity
from scheduler.compliance.compliance_matrix import LOCAL, Matrix
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.routing.quality_table import QualityTable
from scheduler.routing.routing_plan import Place, RoutingPlan
from scheduler.routing.rule import Needs

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "examples"
PRICES = FOLDER / "prices.yaml"
NAMES = ("task-rules", "bilingual", "three-tiers")
TODAY = date(2026, 6, 1)


def document(name: str) -> dict[str, Any]:
    """With the examples' own prices."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    user_config = content["applications"][0]["deployments"][0]["user_config"]
    user_config["prices_file"] = str(PRICES)
    return content


class Example:
    def __init__(self, name: str) -> None:
        (app,) = document(name)["applications"]
        self.config = load_config(app["deployments"][0]["user_config"])
        self.table = QualityTable()
        self._routing = routing_of(self.config, self.table)
        self._prices = load_price_book(PRICES)
        self._pools = {
            each["model"]: each.get("engine", {}).get("context_tokens_max", 4_096)
            for each in app["args"]["pools"]
        }
        facts = facts_by_target(self.config)
        self._matrix = Matrix(self.config.compliance.rules, facts.pop(LOCAL), facts)

    def plan(
        self,
        task: str | None,
        *,
        model: str = "auto",
        language: str | None = None,
        sensitivity: Sensitivity = Sensitivity.INTERNAL,
        home: str | None = "sg",
        prompt_tokens: int = 600,
        answer_tokens: int = 300,
        answer_tokens_max: int = 2_048,
    ) -> RoutingPlan:
        needs = Needs(context_tokens=prompt_tokens + answer_tokens_max)
        traits = Traits(home, Protection[sensitivity.name])

        def places(name: str) -> Sequence[Place]:
            found = []
            if name in self._pools:
                found.append(Place(LOCAL, 0, 0, self._pools[name]))
            for provider, terms in self.config.providers.items():
                if name not in terms.offers:
                    continue
                offer = terms.offers[name]
                price = self._prices.price_at(provider, offer.name, TODAY)
                assert price is not None, offer.name
                is_open = sensitivity in terms.allowed_sensitivity
                found.append(
                    Place(
                        f"{provider}/{offer.name}",
                        price.cost_nano(prompt_tokens, 0, answer_tokens),
                        price.most_nano(prompt_tokens, answer_tokens_max),
                        offer.context_tokens_max,
                        "" if is_open else "allowed_sensitivity",
                    )
                )
            return found

        asked = Asked(model, task, language, needs, sensitivity)
        return self._routing.plan(asked, places, self._matrix.allowance(traits, TODAY))

    def models(self, task: str | None, **more: Any) -> list[str]:
        return [step.model for step in self.plan(task, **more).steps]

    def usd(self, model: str, input_mtok: float, output_mtok: float) -> float:
        """Of millions of tokens, at the one offer of a model."""
        ((provider, offer),) = (
            (name, each.offers[model])
            for name, each in self.config.providers.items()
            if model in each.offers
        )
        price = self._prices.price_at(provider, offer.name, TODAY)
        assert price is not None
        return (input_mtok * price.input_pico + output_mtok * price.output_pico) / 1e6
