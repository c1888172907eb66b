"""A whole gateway for tests: real edge, scheduler and ledger, scripted engines on real ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from openai import AsyncOpenAI

from models.price_book import PriceBook, load_price_book
from runtime.clock import SYSTEM, Clock
from runtime.config import GatewayConfig, load_config
from runtime.edge.app import create_app
from runtime.edge.auth import KeyRing, hash_key
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.engine.engine_settings import EngineFacts
from runtime.engine.fault_script import Script
from runtime.engine.scripted_engine import ScriptedEngine
from runtime.gateway import Gateway
from runtime.ledger.audit import audit
from runtime.ledger.ledger import Ledger
from runtime.ledger.usage_report import RequestCost, report, requests
from runtime.observer import Observer
from runtime.observers.gateway_series import PrometheusMetrics
from runtime.observers.metrics_server import MetricsServer
from runtime.observers.spans import OpenTelemetrySpans
from runtime.targets.local_pools import LocalPool
from runtime.targets.membership import Endpoint
from scheduler.replica import EngineLimits, Replica

HOST = "127.0.0.1"
MODEL = "tiny-moe"
KEY = "bl-test"
TOKEN = "boot-token"
KEY_ENV = "BASELOAD_TEST_VENDOR_KEY"
PATIENCE_S = 5.0

FACTS = EngineFacts(
    model=MODEL,
    engine="scripted",
    limits=EngineLimits(
        kv_tokens_max=65_536, context_tokens_max=4096, max_num_seqs=8, max_num_batched_tokens=2048
    ),
    started_s=0.0,
)


def facts_of(max_num_seqs: int) -> EngineFacts:
    """Of an engine that runs so many requests at once."""
    limits = replace(FACTS.limits, max_num_seqs=max_num_seqs)
    return FACTS.model_copy(update={"limits": limits})


POOL = LocalPool(
    model=MODEL,
    replicas=1,
    card="cpu",
    cards_per_replica=1,
    card_hour_nano_usd=50_000_000,
    context_tokens_max=4096,
    tokenizer=None,
)


@dataclass
class Served:
    """A scripted engine on its port."""

    name: str
    engine: ScriptedEngine
    server: PrivateServer
    facts: EngineFacts

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server.port}/v1"

    @property
    def endpoint(self) -> Endpoint:
        replica = Replica(
            replica_id=self.name,
            model=self.facts.model,
            generation=1,
            limits=self.facts.limits,
        )
        return Endpoint(replica, self.url, TOKEN)


@dataclass
class Stack:
    """``url`` ends in /v1; ``http`` sends the key unless told otherwise."""

    gateway: Gateway
    replicas: list[Served]
    vendor: Served
    ledger: Path
    url: str
    http: aiohttp.ClientSession
    openai: AsyncOpenAI
    edge: Edge
    metrics: PrometheusMetrics
    metrics_server: MetricsServer
    opened: list[aiohttp.ClientResponse] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return sum(len(each.engine.asked) for each in [*self.replicas, self.vendor])

    def rows(self) -> list[RequestCost]:
        return requests(self.ledger)

    def row(self) -> RequestCost:
        (row,) = self.rows()
        return row

    async def close(self) -> None:
        """Of its clients."""
        for response in self.opened:
            response.close()
        await self.openai.close()
        await self.http.close()

    def in_books(self) -> int:
        """Requests that the scheduler believes to be somewhere: queued, at a replica, bought."""
        snapshot = self.gateway._scheduler.snapshot(self.gateway.clock.monotonic_s())
        return (
            sum(queue.requests for queue in snapshot.queues)
            + sum(replica.in_flight for replica in snapshot.replicas)
            + sum(offer.in_flight for offer in snapshot.offers)
        )

    async def idle(self) -> None:
        """Until no request is anywhere and every row has its ending."""
        await until(lambda: self.in_books() == 0 and self.gateway.in_flight.count == 0)
        await until(lambda: all(row.ending for row in self.rows()))

    async def post(
        self, body: Any, *, path: str = "/chat/completions", **headers: str
    ) -> aiohttp.ClientResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.http.post(self.url + path, json=body, headers=named)
        self.opened.append(response)
        return response


async def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(patience_s):
        while not holds():
            await asyncio.sleep(0.01)


def chat(text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 5,
        **fields,
    }


@asynccontextmanager
async def serving(
    name: str = "r1", token: str = TOKEN, facts: EngineFacts = FACTS, script: Script | None = None
) -> AsyncIterator[Served]:
    engine = ScriptedEngine(facts, token, script)
    server = PrivateServer(engine.app.asgi(), HOST)
    await server.start()
    try:
        yield Served(name, engine, server, facts)
    finally:
        await server.stop()


async def _started(
    scripts: Sequence[Script],
    vendor: Script | None,
    facts: EngineFacts,
    others: Mapping[str, Sequence[Script]],
) -> list[Served]:
    """A replica per script, those of ``others`` by their model, and the vendor as the last."""
    engines = [ScriptedEngine(facts, TOKEN, script) for script in scripts]
    for model, its_scripts in others.items():
        of_model = facts.model_copy(update={"model": model})
        engines += [ScriptedEngine(of_model, TOKEN, script) for script in its_scripts]
    engines.append(ScriptedEngine(FACTS, "vendor-key", vendor))
    served = [
        Served("", engine, PrivateServer(engine.app.asgi(), HOST), engine.facts)
        for engine in engines
    ]
    for number, each in enumerate(served, 1):
        each.name = f"r{number}"
    await asyncio.gather(*(each.server.start() for each in served))
    return served


def _http_client() -> aiohttp.ClientSession:
    headers = {"authorization": f"Bearer {KEY}"}
    return aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20))


@asynccontextmanager
async def stack(
    tmp_path: Path,
    *,
    scripts: Sequence[Script] = (Script(),),
    vendor: Script | None = None,
    sells: bool = False,
    max_num_seqs: int = 8,
    config: dict[str, Any] | None = None,
    terms: dict[str, Any] | None = None,
    pool: LocalPool = POOL,
    prices: PriceBook | None = None,
    clock: Clock = SYSTEM,
    observers: Sequence[Observer] = (),
    others: Mapping[str, Sequence[Script]] | None = None,
) -> AsyncIterator[Stack]:
    """A replica per script, and a vendor that ``sells`` on ``terms`` (its key must be in the
    environment). ``observers`` look on beside the usual ones, and ``others`` are pools of other
    models, a replica per script.

    At the end every reserve must have its one ending, and the audit must be ok.
    """
    others = others or {}
    served = await _started(scripts, vendor, facts_of(max_num_seqs), others)
    pools = [pool, *(pool.model_copy(update={"model": model}) for model in others)]
    ledger = Ledger.open(tmp_path / "ledger.db", owner="test")
    routing = routing_of(served[-1] if sells else None, config or {}, terms or {})
    metrics = PrometheusMetrics(pools, clock)
    server = MetricsServer(metrics.registry)
    present = (metrics, OpenTelemetrySpans(clock), *observers)
    gateway = Gateway(routing, pools, prices or load_price_book(), ledger, present, clock)
    await gateway.start()
    gateway.set_replicas([each.endpoint for each in served[:-1]])
    edge = Edge(clock)
    edge.open(gateway, KeyRing({"acme": [hash_key(KEY)]}), server)
    front = PrivateServer(create_app(edge), HOST)
    await front.start()
    url = f"http://{HOST}:{front.port}/v1"
    made = Stack(
        gateway=gateway,
        replicas=served[:-1],
        vendor=served[-1],
        ledger=tmp_path / "ledger.db",
        url=url,
        http=_http_client(),
        openai=AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0),
        edge=edge,
        metrics=metrics,
        metrics_server=server,
    )
    try:
        await until(lambda: _all_reported(gateway, served[:-1]))
        yield made
    finally:
        await made.close()
        await gateway.close(drain_s_max=0.5)
        edge.close()
        await asyncio.gather(front.stop(), *(each.server.stop() for each in served))
    if ledger.failure is not None:
        _sweep(made.ledger)
    assert_books_agree(made.ledger)


def _sweep(ledger: Path) -> None:
    """As the next start does."""
    sweeper = Ledger.open(ledger, owner="next")
    sweeper.sweep()
    sweeper.close()


def assert_books_agree(ledger: Path) -> None:
    found = audit(ledger)
    assert found.ok, found.problems
    assert found.open_reserves == 0
    told = report(ledger)
    assert sum(row.cost_nano_usd for row in requests(ledger)) == told.total.cost_nano_usd
    assert told.total.cost_nano_usd == found.total_nano_usd


def _all_reported(gateway: Gateway, replicas: list[Served]) -> bool:
    views = gateway._scheduler.snapshot(gateway.clock.monotonic_s()).replicas
    honest = {each.name for each in replicas if each.engine.script.reports == "honest"}
    reported = (view.report_age_s is not None for view in views if view.target.id in honest)
    return len(gateway.locals) == len(replicas) and all(reported)


def routing_of(
    vendor: Served | None, config: dict[str, Any], terms: dict[str, Any]
) -> GatewayConfig:
    if vendor is not None:
        account = {"base_url": vendor.url, "key_env": KEY_ENV, "offers": {MODEL: MODEL}, **terms}
        config = {**config, "providers": {"stand-in": account}}
    return load_config(config)
