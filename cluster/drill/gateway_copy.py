"""A copy of a configured gateway: real edge, scheduler and ledger, before scripted targets."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.checks.resolve_pools import ResolvedPool, pool_of
from cluster.drill.scripted_targets import (
    HOST,
    KEY,
    PoolTarget,
    ProviderTarget,
    Received,
    ScriptedTarget,
)
from models.price_book import load_price_book
from runtime.config import GatewayConfig
from runtime.edge.app import create_app
from runtime.edge.auth import KeyRing, hash_key, new_key
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.errors import ConfigError
from runtime.gateway import Gateway
from runtime.ledger.ledger import Ledger

KEY_ENV = "BASELOAD_DRILL_KEY"
READY_S_MAX = 15.0
DRAIN_S_MAX = 0.5


@dataclass(slots=True)
class GatewayCopy:
    """``keys`` are made for this copy, one for each tenant; ``config`` is the copy's."""

    url: str
    keys: dict[str, str]
    gateway: Gateway
    config: GatewayConfig
    ledger: Path
    targets: dict[str, ScriptedTarget]
    pools: list[PoolTarget]
    bought: list[Received] = field(default_factory=list)

    def received(self) -> list[Received]:
        """Everything that reached a target."""
        return self.bought + [each for pool in self.pools for each in pool.received()]


@asynccontextmanager
async def gateway_copy(
    config: GatewayConfig, pools: Sequence[ResolvedPool], tenants: Sequence[str], folder: Path
) -> AsyncIterator[GatewayCopy]:
    """Ready for requests. The ledger is in ``folder``; nothing outside of this process is asked."""
    bought: list[Received] = []
    providers = {name: ProviderTarget.of(name, bought.append) for name in config.providers}
    played = [PoolTarget.of(pool) for pool in pools]
    targets: dict[str, ScriptedTarget] = {pool_name(each.name): each for each in played}
    targets |= providers
    config = _pointed(config, providers)
    keys = {name: new_key() for name in tenants}
    edge = Edge()
    front = PrivateServer(create_app(edge), HOST)
    ledger = Ledger.open(folder / "ledger.db", owner=f"drill-{secrets.token_hex(4)}")
    gateway = Gateway(config, map(pool_of, pools), load_price_book(), ledger)
    with _key_of_providers():
        await asyncio.gather(*(target.start() for target in targets.values()))
        await gateway.start()
        try:
            edge.open(gateway, KeyRing({name: [hash_key(key)] for name, key in keys.items()}))
            gateway.set_replicas([each for pool in played for each in pool.endpoints])
            await front.start()
            await _until_ready(gateway)
            url = f"http://{HOST}:{front.port}/v1"
            yield GatewayCopy(
                url, keys, gateway, config, folder / "ledger.db", targets, played, bought
            )
        finally:
            await gateway.close(DRAIN_S_MAX)
            edge.close()
            await asyncio.gather(front.stop(), *(target.stop() for target in targets.values()))


def pool_name(model: str) -> str:
    """The word for a pool among targets: a provider may be called as a model is."""
    return f"pool {model}"


def _pointed(config: GatewayConfig, providers: dict[str, ProviderTarget]) -> GatewayConfig:
    """Every provider stands on its port here, whatever keys this machine has."""
    moved = {
        name: providers[name].config(provider, KEY_ENV)
        for name, provider in config.providers.items()
    }
    return config.model_copy(update={"providers": moved})


@contextmanager
def _key_of_providers() -> Iterator[None]:
    """A made-up key: the real ones are not read, and go nowhere."""
    before = os.environ.get(KEY_ENV)
    os.environ[KEY_ENV] = KEY
    try:
        yield
    finally:
        if before is None:
            del os.environ[KEY_ENV]
        else:
            os.environ[KEY_ENV] = before


async def _until_ready(gateway: Gateway) -> None:
    try:
        async with asyncio.timeout(READY_S_MAX):
            while not gateway.ready():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise ConfigError(f"the copy was not ready within {READY_S_MAX:.0f} s") from None
