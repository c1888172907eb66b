"""What a request is told that no target may answer: the law, its rule, or a field of its own."""

from __future__ import annotations

from runtime.errors import BadRequest, NoCompliantTarget, NoSuitableModel
from runtime.gateway import Gateway
from runtime.wire.dialect import Dialect
from runtime.wire.model_request import ModelRequest
from scheduler.routing.routing_plan import Code, RoutingPlan

VERDICTS_CHARS_MAX = 4_096  # of an error's message


def refuse_without_target(
    gateway: Gateway, dialect: Dialect, request: ModelRequest, plan: RoutingPlan
) -> None:
    """Raises the refusal that says most of a plan that leaves nothing. A named model whose offers
    are withheld for now is not refused here: the scheduler says that nothing can serve it."""
    if plan.is_forbidden:
        forbidden = sorted(
            f"{each.target}: {each.detail}"
            for each in plan.verdicts
            if each.code is Code.COMPLIANCE
        )
        says = "; ".join(forbidden)[:VERDICTS_CHARS_MAX]
        raise NoCompliantTarget(f"{NoCompliantTarget.says} {says}.")
    if plan.rule.name:
        found = [f"{each.model} ({each.code}: {each.detail})" for each in plan.verdicts]
        says = "; ".join(found)[:VERDICTS_CHARS_MAX]
        raise NoSuitableModel(f"No model of the rule `{plan.rule.name}` may answer: {says}.")
    _refuse_field(gateway, dialect, request)


def refused_field(
    gateway: Gateway, dialect: Dialect, request: ModelRequest, offer: str
) -> str | None:
    """A field of a request that the provider of an offer cannot honour."""
    return dialect.refused_field(request, gateway.accounts[offer].speaks)


def _refuse_field(gateway: Gateway, dialect: Dialect, request: ModelRequest) -> None:
    """BadRequest where a field keeps a named model from being bought, and no replica has it."""
    model, local_only = request.model, request.local_only
    if model in gateway.pools:
        return
    names = sorted(name for name, each in gateway.accounts.items() if each.model == model)
    found = (refused_field(gateway, dialect, request, name) for name in names)
    field = next((each for each in found if each), local_only)
    if field is None:
        return
    says = f"No provider of `{model}` takes `{field}` as it is sent."
    if field == local_only:
        says = f"`{field}` is served by local replicas, and `{model}` has none here."
    raise BadRequest(says, param=field)
