"""Whether one machine holds what a profile's replicas reserve, before anybody waits for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.application_args import PoolArgs
from cluster.placement_group import CARD_RESOURCE, CPU_CARD, placement
from runtime.engine.engine_settings import EngineSettings

WAIT_ENV = "BASELOAD_WAIT_FOR_NODES"  # 1: more nodes will join, so wait for them
_ELSEWHERE = (
    "`serve run` it on a cluster that has them (where nodes are about to join this machine's Ray, "
    f"{WAIT_ENV}=1 makes the start wait)"
)


def shortage(pools: Sequence[PoolArgs], held: Mapping[str, float]) -> str | None:
    """What is missing, in one line; None where all replicas fit.

    ``held`` are Ray's resources of the machine: "CPU", "GPU", and each type as "card:<id>".
    """
    reserved = [(pool, _reserved(pool)) for pool in pools if pool.card != CPU_CARD]
    needed: Counter[str] = Counter()
    for _, own in reserved:
        needed.update(own)
    for pool, own in reserved:
        if machines := _machines(pool):
            return f"pool {pool.model} spreads each replica over {machines} machines: {_ELSEWHERE}"
        if any(needed[name] > held.get(name, 0) for name in own):
            return _in_words(pool, own, needed, held)
    return None


def _machines(pool: PoolArgs) -> int:
    """How many a replica must be spread over; 0 where one machine may hold it."""
    options = _options(pool)
    is_spread = options["placement_group_strategy"] == "STRICT_SPREAD"
    return len(options["placement_group_bundles"]) if is_spread else 0


def _options(pool: PoolArgs) -> dict[str, Any]:
    given: dict[str, Any] = {"model": pool.model, "checkpoint": ".", **pool.engine}
    return placement(EngineSettings.model_validate(given), pool.card)


def _reserved(pool: PoolArgs) -> dict[str, int]:
    """By all replicas that the pool starts with."""
    bundles: list[dict[str, int]] = _options(pool)["placement_group_bundles"]
    total: Counter[str] = Counter()
    for bundle in bundles * pool.replicas:
        total.update(bundle)
    return dict(total)


def _in_words(
    pool: PoolArgs, own: Mapping[str, int], needed: Mapping[str, int], held: Mapping[str, float]
) -> str:
    cards = next(name for name in own if name.startswith(CARD_RESOURCE))
    if needed[cards] <= held.get(cards, 0) and needed.get("GPU", 0) <= held.get("GPU", 0):
        what, there = f"{needed['CPU']} CPU cores", f"{held.get('CPU', 0):.0f}"
    else:
        what, there = f"{needed[cards]} × {pool.card}", _cards(held)
    others = "" if needed[cards] == own[cards] else ", with the other pools of that card"
    each = f"{pool.replicas} replica" + ("s" if pool.replicas > 1 else "")
    return (
        f"pool {pool.model} ({each}{others}) needs {what}, and this machine has {there}: give it "
        f"cards that are here (`baseload doctor` lists them), or {_ELSEWHERE}"
    )


def _cards(held: Mapping[str, float]) -> str:
    kinds = [
        f"{count:.0f} × {name.removeprefix(CARD_RESOURCE).upper()}"
        for name, count in held.items()
        if name.startswith(CARD_RESOURCE) and count
    ]
    return ", ".join(kinds) or (f"{held['GPU']:.0f} unknown cards" if held.get("GPU") else "none")
