"""The gateway without Ray: the same edge, scheduler and ledger in one plain process.

For a machine that only buys (no local replicas), for measurements of the gateway alone, and
for tests. `python -m runtime.standalone --config FILE --port 8080 --state DIR`; FILE holds what
a Scheduler's ``user_config`` holds.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from models.price_book import load_price_book
from models.yaml_file import BadYaml, read_yaml
from runtime.config import GatewayConfig, load_config
from runtime.edge.app import create_app
from runtime.edge.auth import KeyRing
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.errors import BaseloadError, ConfigError
from runtime.gateway import Gateway
from runtime.ledger.ledger import Ledger
from runtime.observers.gateway_series import PrometheusMetrics
from runtime.observers.spans import OpenTelemetrySpans

DRAIN_S_MAX = 20.0


async def serve(config: GatewayConfig, host: str, port: int, state: Path) -> None:
    """Runs until SIGINT or SIGTERM."""
    edge = Edge()
    edge.access_log.stream = sys.stderr
    server = PrivateServer(create_app(edge), host, port)
    ledger = Ledger.open(state / "ledger.db", owner=f"standalone-{secrets.token_hex(8)}")
    observers = (PrometheusMetrics(), OpenTelemetrySpans())
    gateway = Gateway(config, (), load_price_book(), ledger, observers)
    await gateway.start()
    edge.open(
        gateway, KeyRing({name: tenant.key_sha256 for name, tenant in config.tenants.items()})
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    print(f"ready on http://{host}:{server.port}/v1", flush=True)
    await stop.wait()
    await gateway.close(DRAIN_S_MAX)
    await server.stop()
    edge.close()


def _read(path: Path) -> Any:
    try:
        return read_yaml(path).content
    except BadYaml as error:
        raise ConfigError(f"{path} {error}") from None


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.standalone",
        description="The gateway without Ray.",
        epilog="Example: python -m runtime.standalone --config routing.yaml --port 8080 --state s",
    )
    parser.add_argument("--config", type=Path, required=True, help="routing configuration (YAML)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder of the ledger")
    given = parser.parse_args()
    try:
        config = load_config(_read(given.config))
        given.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        uvloop.run(serve(config, given.host, given.port, given.state))
    except BaseloadError as error:
        parser.exit(2, f"baseload: {error.message}\n")


if __name__ == "__main__":
    main()
