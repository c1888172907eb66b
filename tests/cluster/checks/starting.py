"""What a start does with a config file before the first engine is there, in this process."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any, cast

from ray.serve.schema import ServeDeploySchema

from cluster.application import build
from cluster.state_folder import STATE_ENV
from models.price_book import load_price_book
from runtime.config import load_config
from runtime.edge.auth import KeyRing, ensure_local_key, hash_key
from runtime.key_hash import LOCAL_TENANT
from runtime.targets.connector import Connector
from runtime.targets.provider_accounts import open_accounts

PRICES = load_price_book()


def started_from(document: Any) -> None:
    """Raises whatever Serve, `build` and the Scheduler raise."""
    ServeDeploySchema.model_validate(document)
    (app,) = document["applications"]
    build(app["args"])
    config = load_config(app["deployments"][0]["user_config"])
    keys = {name: list(tenant.key_sha256) for name, tenant in config.tenants.items()}
    if app["args"].get("local_key"):
        key = ensure_local_key(Path(os.environ[STATE_ENV]) / "api-key")
        keys |= {LOCAL_TENANT: [hash_key(key)]}
    KeyRing(keys)
    config.settings()
    open_accounts(config, PRICES, cast(Connector, None), date(2026, 11, 30))
