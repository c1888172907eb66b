"""Baseload's own gateway without Ray, in front of something scripted: a peer among peers."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import yaml

from benchmarks.peers.gateway_setting import Command, GatewaySetting
from benchmarks.peers.peer import Peer
from benchmarks.rig.common import MODEL
from benchmarks.rig.gateway_alone import PROVIDER, PROVIDER_KEY_ENV

BASELOAD = "baseload"
IN_FLIGHT_MAX = 1024


def command(python: Path, setting: GatewaySetting) -> Command:
    key = "bl-" + secrets.token_urlsafe(32)
    (engine,) = setting.engines
    provider = {
        "base_url": engine.base_url,
        "key_env": PROVIDER_KEY_ENV,
        "offers": {MODEL: {"name": MODEL, "in_flight_max": IN_FLIGHT_MAX}},
    }
    routing = {
        "tenants": {"bench": {"key_sha256": [hashlib.sha256(key.encode()).hexdigest()]}},
        "providers": {PROVIDER: provider},
    }
    file = setting.folder / "routing.yaml"
    file.write_text(yaml.safe_dump(routing))
    argv = [str(python), "-m", "runtime.standalone", "--config", str(file)]
    argv += ["--port", str(setting.port), "--state", str(setting.folder)]
    return Command(tuple(argv), key, {PROVIDER_KEY_ENV: engine.key})


BASELOAD_ALONE = Peer(BASELOAD, "Baseload", "baseload", (), command, "one process")
