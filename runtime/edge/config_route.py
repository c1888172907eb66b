"""``/v1/config``: which configuration is in force, since when, and what was refused after it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request

from runtime.config import GatewayConfig
from runtime.edge.edge_context import Edge
from runtime.edge.openapi import KEYED
from runtime.errors import AdminsOnly
from runtime.gateway import Gateway
from runtime.routing.demotions import QualitySeen

QUALITIES_SHOWN_MAX = 2_000
HASH_CHARS_SHOWN = 8  # enough to tell keys apart


def add_config(app: FastAPI, edge: Edge) -> None:
    @app.get(
        "/v1/config",
        summary="The configuration in force, for a tenant that is_admin",
        openapi_extra=KEYED,
    )
    async def config(request: Request) -> dict[str, Any]:
        gateway, tenant = edge.gateway, edge.tenant(request)
        terms = gateway.config.tenants.get(tenant)
        if terms is None or not terms.is_admin:
            raise AdminsOnly()
        return _told(gateway)


def _told(gateway: Gateway) -> dict[str, Any]:
    applied, refused = gateway.applied, gateway.refused
    return {
        "object": "config",
        "version": str(applied),
        "digest": applied.digest,
        "applied": applied.number,
        "applied_at": _time(applied.applied_ms),
        "refused": refused and {"at": _time(refused.refused_ms), "errors": list(refused.errors)},
        "prices": {
            offer_id: account.offer.price and account.offer.price.price_id
            for offer_id, account in sorted(gateway.accounts.items())
        },
        "quality": _quality(gateway.learning.seen),
        "config": _without_secrets(gateway.config),
    }


def _quality(seen: QualitySeen) -> list[dict[str, Any]]:
    """What was learned; the language None is all together."""
    return [
        {
            "rule": each.rule,
            "model": each.model,
            "task": each.task,
            "language": each.language,
            "floor": each.floor,
            **asdict(each.quality),
            "is_demoted": each.is_demoted,
        }
        for each in seen.standings[:QUALITIES_SHOWN_MAX]
    ]


def _without_secrets(config: GatewayConfig) -> dict[str, Any]:
    """Vendors' keys are names of variables already; of callers' keys the hashes are cut off."""
    content = config.model_dump(mode="json")
    for tenant in content["tenants"].values():
        tenant["key_sha256"] = [f"{each[:HASH_CHARS_SHOWN]}…" for each in tenant["key_sha256"]]
    return content


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds")
