"""What a config file comes to: cards, pools, offers with today's price, ports, environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.checks.check_config_file import CheckReport
from cluster.checks.offers_and_limits import OfferFact
from cluster.checks.resolve_pools import ResolvedPool
from cluster.config_finding import ConfigFinding
from cluster.manifests.serve_config import nodes_taken
from cluster.placement_group import CPU_CARD
from models.money import format_usd
from models.token_price import Price, usd_text
from runtime.config_problems import is_secret, where

REDACTED = "(not shown)"
FREE_NAMES = ("vllm_flags",)  # mappings whose keys a file chooses


@dataclass(frozen=True, slots=True)
class CardsNeeded:
    """Cards of one kind: for the start, and for what its pools may grow to. ``nodes`` of 8 for
    the start; 0 for CPUs, which are not reserved."""

    card: str
    cards: int
    cards_max: int
    nodes: int


def cards_needed(pools: Sequence[ResolvedPool]) -> list[CardsNeeded]:
    found: dict[str, CardsNeeded] = {}
    for pool in pools:
        card, layout = pool.card.card_id, pool.settings.layout
        most = pool.args.autoscaling.replicas_max if pool.args.autoscaling else pool.args.replicas
        before = found.get(card, CardsNeeded(card, 0, 0, 0))
        found[card] = CardsNeeded(
            card,
            before.cards + pool.args.replicas * layout.cards,
            before.cards_max + most * layout.cards,
            before.nodes + (0 if card == CPU_CARD else nodes_taken(layout, pool.args.replicas)),
        )
    return list(found.values())


def as_lines(report: CheckReport) -> Iterator[str]:
    """The facts as a person reads them, and the verdict at the end."""
    for each in cards_needed(report.pools):
        more = f", up to {each.cards_max}" if each.cards_max > each.cards else ""
        nodes = f" on {each.nodes} node{'s' if each.nodes > 1 else ''}" if each.nodes else ""
        yield f"cards      {each.cards} x {each.card}{more}{nodes}"
    for pool in report.pools:
        settings = pool.settings
        yield (
            f"pool       {pool.args.model}: {pool.args.replicas} x {settings.layout} on "
            f"{pool.card.card_id} at {format_usd(pool.card_hour_nano_usd)} USD per card and hour, "
            f"{settings.context_tokens_max} tokens of context"
        )
    for offer in report.offers:
        yield f"offer      {offer.provider}/{offer.name} for {offer.model}: {_offer(offer)}"
    for port in report.ports:
        yield f"port       {port.what} on {port.host}:{port.port}"
    for unchecked in report.unchecked:
        yield f"unchecked  {unchecked.what}: {unchecked.why}"
    counts = [
        f"{len(found)} {what}{'s' if len(found) != 1 else ''}"
        for what, found in (("error", report.errors), ("warning", report.warnings))
    ]
    verdict = "cannot be served" if report.errors else "valid"
    yield f"{report.path}: {verdict}, {' and '.join(counts)}"


def as_json(report: CheckReport) -> dict[str, Any]:
    """Money is USD as decimal strings. ``args`` and ``user_config`` are None where they cannot be
    used; nothing in them is a secret."""
    profile = report.profile
    return {
        "path": str(report.path),
        "valid": not report.errors,
        "errors": [_finding(each) for each in report.errors],
        "warnings": [_finding(each) for each in report.warnings],
        "not_checked": [{"what": each.what, "why": each.why} for each in report.unchecked],
        "cards_needed": [
            {"card": e.card, "cards": e.cards, "cards_max": e.cards_max, "nodes": e.nodes}
            for e in cards_needed(report.pools)
        ],
        "pools": [_pool(each) for each in report.pools],
        "offers": [_offer_json(each) for each in report.offers],
        "ports": [{"what": e.what, "host": e.host, "port": e.port} for e in report.ports],
        "host": None if profile is None else profile.host,
        "port": None if profile is None else profile.port,
        "args": None if profile is None else _redacted(profile.args.model_dump(mode="json")),
        "user_config": None if profile is None else profile.routing.model_dump(mode="json"),
    }


def _offer(offer: OfferFact) -> str:
    if offer.price is None:
        return f"never bought, {offer.unpriced}"
    price = offer.price
    cached = price.input_pico if price.cached_input_pico is None else price.cached_input_pico
    told = (
        f"{usd_text(price.input_pico)} in, {usd_text(cached)} cached, "
        f"{usd_text(price.output_pico)} out USD per M tokens since {price.effective_from}"
    )
    return told if offer.off is None else f"{told}; off, {offer.off}"


def _finding(finding: ConfigFinding) -> dict[str, Any]:
    problem = finding.problem
    return {
        "path": where(problem.path),
        "line": finding.line,
        "value": problem.value,
        "wrong": problem.wrong,
        "instead": problem.instead,
    }


def _pool(pool: ResolvedPool) -> dict[str, Any]:
    settings, args = pool.settings, pool.args
    return {
        "model": args.model,
        "replicas": args.replicas,
        "replicas_max": args.autoscaling.replicas_max if args.autoscaling else args.replicas,
        "layout": str(settings.layout),
        "card": pool.card.card_id,
        "cards_per_replica": settings.layout.cards,
        "card_usd_per_hour": format_usd(pool.card_hour_nano_usd),
        "context_tokens_max": settings.context_tokens_max,
        "checkpoint": None if pool.is_tiny else str(settings.checkpoint),
    }


def _offer_json(offer: OfferFact) -> dict[str, Any]:
    return {
        "provider": offer.provider,
        "model": offer.model,
        "name": offer.name,
        "price": None if offer.price is None else _price(offer.price),
        "why_never_bought": offer.unpriced or offer.off,
    }


def _price(price: Price) -> dict[str, Any]:
    cached = price.cached_input_pico
    return {
        "price_id": price.price_id,
        "input_usd_per_mtok": usd_text(price.input_pico),
        "cached_input_usd_per_mtok": None if cached is None else usd_text(cached),
        "output_usd_per_mtok": usd_text(price.output_pico),
        "effective_from": str(price.effective_from),
        "effective_to": None if price.effective_to is None else str(price.effective_to),
    }


def _redacted(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    """A flag may hold a token; nothing else in ``args`` can be a secret."""
    if isinstance(value, Mapping):
        return {
            name: REDACTED
            if any(part in FREE_NAMES for part in path) and is_secret((*path, name))
            else _redacted(inner, (*path, name))
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_redacted(each, (*path, n)) for n, each in enumerate(value)]
    return value
