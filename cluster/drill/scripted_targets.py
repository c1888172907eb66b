"""Scripted targets in the place of providers and pools, and what each of them received."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cluster.checks.resolve_pools import ResolvedPool
from runtime.config_provider import ProviderConfig
from runtime.edge.private_server import PrivateServer
from runtime.engine.engine_settings import EngineFacts
from runtime.engine.fault_script import Script
from runtime.engine.scripted_answer import prompt_texts
from runtime.engine.scripted_engine import ScriptedEngine
from runtime.engine.scripted_vendor import ScriptedVendor, VendorFault
from runtime.targets.membership import Endpoint
from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.replica import EngineLimits, Replica

HOST = "127.0.0.1"
KEY = "drill"
FIRST_TOKEN_S = 0.005  # of a target in good order
REPLICAS_MAX = 4  # of a pool: as many as play it
_MARK = re.compile(r"\[drill (\d+)\]")


def mark(serial: int) -> str:
    """What stands in a request's text, so that a target knows which one it is."""
    return f"[drill {serial}]"


@dataclass(frozen=True, slots=True)
class Received:
    """A request at a target; ``target`` is "local" or an offer's id."""

    target: str
    model: str
    serial: int | None  # None: nobody knows whose it is


OnReceived = Callable[[Received], None]


class ScriptedTarget(Protocol):
    """What can fail as one: a provider with all its offers, or a pool with all its replicas."""

    name: str

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Connections are broken off, and no new ones are taken."""

    def slow(self, first_token_s: float) -> None: ...

    def limit_rate(self) -> None:
        """Makes it refuse each request from now on as one too many, if it is a provider."""


def _serial(texts: list[str]) -> int | None:
    found = next((mark for text in texts if (mark := _MARK.search(text))), None)
    return int(found[1]) if found else None


@dataclass(slots=True)
class ProviderTarget:
    name: str
    vendor: ScriptedVendor
    server: PrivateServer

    @classmethod
    def of(cls, name: str, on_received: OnReceived) -> ProviderTarget:
        def on_asked(model: str, texts: list[str]) -> None:
            on_received(Received(f"{name}/{model}", model, _serial(texts)))

        vendor = ScriptedVendor(on_asked, FIRST_TOKEN_S)
        return cls(name, vendor, PrivateServer(vendor.app, HOST))

    def config(self, provider: ProviderConfig, key_env: str) -> ProviderConfig:
        """The account as it is configured, but for where it is and for its key."""
        url = f"http://{HOST}:{self.server.port}/v1"
        return provider.model_copy(update={"base_url": url, "key_env": key_env})

    async def start(self) -> None:
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop(0)

    def slow(self, first_token_s: float) -> None:
        self.vendor.slow_s, self.vendor.fault = first_token_s, VendorFault.SLOW

    def limit_rate(self) -> None:
        self.vendor.fault = VendorFault.RATE_LIMITED


@dataclass(slots=True)
class PoolTarget:
    name: str  # the model
    engines: list[ScriptedEngine]
    servers: list[PrivateServer] = field(default_factory=list)

    @classmethod
    def of(cls, pool: ResolvedPool) -> PoolTarget:
        settings = pool.settings
        limits = EngineLimits(
            kv_tokens_max=settings.max_num_seqs * settings.context_tokens_max,
            context_tokens_max=settings.context_tokens_max,
            max_num_seqs=settings.max_num_seqs,
            max_num_batched_tokens=settings.max_num_batched_tokens,
        )
        facts = EngineFacts(model=pool.args.model, engine="scripted", limits=limits, started_s=0)
        replicas = range(min(pool.args.targets, REPLICAS_MAX))
        script = Script(first_token_s=FIRST_TOKEN_S)
        engines = [ScriptedEngine(facts, KEY, script) for _ in replicas]
        servers = [PrivateServer(engine.app.asgi(), HOST) for engine in engines]
        return cls(pool.args.model, engines, servers)

    @property
    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                Replica(f"{self.name}-{number}", self.name, 1, engine.facts.limits),
                f"http://{HOST}:{server.port}/v1",
                KEY,
            )
            for number, (engine, server) in enumerate(
                zip(self.engines, self.servers, strict=True), 1
            )
        ]

    def received(self) -> list[Received]:
        return [
            Received(LOCAL, self.name, _serial(prompt_texts(asked.body)))
            for engine in self.engines
            for asked in engine.asked
        ]

    async def start(self) -> None:
        await asyncio.gather(*(server.start() for server in self.servers))

    async def stop(self) -> None:
        await asyncio.gather(*(server.stop(0) for server in self.servers))

    def slow(self, first_token_s: float) -> None:
        for engine in self.engines:
            engine.script = Script(first_token_s=first_token_s)

    def limit_rate(self) -> None:
        """An engine of our own has no such limit."""
