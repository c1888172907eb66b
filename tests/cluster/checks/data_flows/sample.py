"""A file with users in two jurisdictions, an edge, and agreements of all ages; and its map."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml

from cluster.checks.data_flows.data_flow_map import data_flow_map
from cluster.checks.data_flows.map_schema import DataFlowMap
from cluster.profile import LOCAL_PROFILE, load

TODAY = date(2026, 11, 30)
HERE = {
    "operator": "Ours Ltd",
    "operator_jurisdiction": "cn",
    "storage_regions": ["cn"],
    "inference_jurisdictions": ["cn"],
    "trains_on_data": False,
    "retention_days": 0,
    "registrations": [{"jurisdiction": "cn", "number": "Sichuan-1", "model_name": "深度"}],
}
FLOW = {"sources": ["cn"], "destinations": ["sg"]}
ABROAD = {
    "operator": "Abroad <Pte>",
    "operator_jurisdiction": "sg",
    "storage_regions": ["sg"],
    "inference_jurisdictions": ["sg"],
    "trains_on_data": False,
    "retention_days": 30,
    "contracts": [
        {"kind": "DPA", "reference": "D-1", "valid_until": "2027-11-30"},
        {"kind": "CAC-contract", "reference": "C-1", "valid_until": "2026-12-20", **FLOW},
        {"kind": "DPF", "reference": "F-1", "valid_until": "2026-11-29"},
    ],
}


def tenant(letter: str, **facts: Any) -> dict[str, Any]:
    return {"key_sha256": [letter * 64], **facts}


TENANTS = {
    "beijing": tenant("a", home="cn", defaults={"feature": "support", "task": "chat"}),
    "singapore": tenant("b", home="sg", spill_usd_per_hour_max="0"),
}


def file(
    folder: Path,
    *,
    packs: tuple[str, ...] = ("pipl",),
    own: dict[str, Any] = HERE,
    facts: dict[str, Any] = ABROAD,
    tenants: dict[str, Any] = TENANTS,
    sensitivities: tuple[str, ...] = ("public", "internal", "pii"),
    local_key: bool = False,
) -> Path:
    document = yaml.safe_load(LOCAL_PROFILE.read_text())
    app = document["applications"][0]
    app["args"]["local_key"] = local_key
    config = app["deployments"][0]["user_config"]
    config["compliance"] = {"packs": list(packs), "own": own}
    config["tenants"] = tenants
    del config["rules"], config["providers"]["stand-in-sg"]
    config["providers"]["stand-in"] |= {
        "facts": facts,
        "allowed_sensitivity": list(sensitivities),
    }
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return path


def mapped(folder: Path, today: date = TODAY, **changes: Any) -> DataFlowMap:
    return data_flow_map("serve.yaml", load(file(folder, **changes)), today)
