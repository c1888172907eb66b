"""The Scheduler deployment: the HTTP edge, the pure scheduler and the ledger, as Serve ingress."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from pathlib import Path
from typing import Any

import ray
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from cluster.applied_config import ConfigNote, all_errors, refusal
from cluster.refuse_second_scheduler import refuse_second
from cluster.replica_leases import Registration
from cluster.state_folder import drain_s_max
from models.price_book import load_price_book
from runtime.config import METRICS_PORTS_TRIED, GatewayConfig, load_config
from runtime.config_version import RefusedConfig, digest_of
from runtime.edge.app import create_app
from runtime.edge.auth import KeyRing
from runtime.edge.edge_context import Edge
from runtime.errors import BaseloadError, ConfigError
from runtime.gateway import Gateway
from runtime.ledger.ledger import Ledger
from runtime.observers.gateway_series import PrometheusMetrics
from runtime.observers.metrics_server import MetricsServer
from runtime.observers.spans import OpenTelemetrySpans
from runtime.targets.local_pools import LocalPool
from runtime.targets.membership import Endpoint
from runtime.targets.provider_accounts import utc_today

DIRECTORY_RETRY_S = 0.5
TELL_S_MAX = 2.0
HEARD_S_MAX = 15.0  # of the directory's first list, and from the replicas on it
JOIN_POLL_S = 0.02
METRICS_RETRY_S = 5.0  # the one that had a lower port may go, as in every upgrade
NO_CONFIG = "there is none; write `user_config: {}` for the defaults"

EDGE = Edge()
log = logging.getLogger("ray.serve.scheduler")  # by Serve's handlers, and not at Serve's level
log.setLevel(logging.INFO)


def build_edge() -> ASGIApp:
    """Built in the replica, so that routes and replica share one ``EDGE``."""
    # Past Serve's handlers, which take 40 us for a line: Ray keeps what a worker prints, and
    # gives it to the terminal, or the log file, of who started it.
    EDGE.access_log.stream = sys.stderr
    return create_app(EDGE)


class Scheduler:
    def __init__(
        self,
        pools: list[LocalPool],
        ledger_path: Path,
        local_keys: dict[str, list[str]],
        directory: DeploymentHandle,
        engines: list[DeploymentHandle],
    ) -> None:
        """``engines`` makes Serve deploy them with this app; requests go to them over HTTP.
        StartFailed where there is a Scheduler already, and not for an upgrade."""
        refuse_second()
        self._pools = pools
        self._ledger_path = ledger_path
        self._local_keys = local_keys
        self._directory = directory
        self._gateway: Gateway | None = None
        self._metrics = PrometheusMetrics(pools)
        self._metrics_server = MetricsServer(self._metrics.registry)
        self._tasks: list[asyncio.Task[None]] = []
        self._listed = asyncio.Event()
        self._models: set[str] = set()  # of the replicas on the list
        self._note = ConfigNote()
        self._one_at_a_time = asyncio.Lock()  # configurations, in the order in which they came

    async def reconfigure(self, user_config: dict[str, Any] | None, rank: object = None) -> None:
        """Takes a configuration, or goes on with the one before and tells of the refusal.

        It raises only where nothing has ever served: Serve stops a replica that raises here.
        ``rank`` is not used: Serve tells of a `user_config` of null only who asks for the rank.
        """
        async with self._one_at_a_time:
            try:
                await self._take(user_config)
            except Exception as error:  # the boundary: no file may stop a service that runs
                await self._go_on(error)
                log.exception("%s", refusal(error))

    async def refuse_file(self, errors: list[str]) -> None:
        """A changed file that `baseload serve` does not pass on, because of its ``errors``; without
        any, the file is in order again."""
        async with self._one_at_a_time:
            why = ConfigError("; ".join(errors))
            await self._tell(
                ConfigNote(self._note.serving, refusal(why) if errors else None), tuple(errors)
            )

    async def _take(self, user_config: dict[str, Any] | None) -> None:
        if user_config is None:
            raise ConfigError(NO_CONFIG)
        config = await asyncio.to_thread(_read, user_config)
        keys = KeyRing(
            {name: tenant.key_sha256 for name, tenant in config.tenants.items()} | self._local_keys
        )
        if self._gateway is None:
            self._gateway = await self._open(config)
        else:
            self._gateway.reconfigure(config)
        EDGE.open(self._gateway, keys, self._metrics_server)
        log.info("configuration %s is applied", self._gateway.config_version)
        await self._tell(ConfigNote(serving=user_config))

    async def _go_on(self, error: Exception) -> None:
        """A Scheduler that Serve started anew asks for what its predecessor served with."""
        serving = self._note.serving
        if self._gateway is None:
            known: ConfigNote = await self._directory.config.remote()
            serving = known.serving
            if serving is None:
                raise error
            await self._take(serving)
        await self._tell(ConfigNote(serving, refusal(error)), all_errors(error))

    async def _tell(self, note: ConfigNote, errors: tuple[str, ...] = ()) -> None:
        self._note = note
        if self._gateway is not None:
            at_ms = self._gateway.clock.unix_ms()
            refused = note.refused and RefusedConfig(note.refused, errors, at_ms)
            self._gateway.refused = refused or None
        try:
            async with asyncio.timeout(TELL_S_MAX):
                await self._directory.note_config.remote(note)
        except (ray.exceptions.RayError, TimeoutError) as error:  # it is told again as it starts
            log.warning("the directory did not take the configuration's state: %s", error)

    async def _open(self, config: GatewayConfig) -> Gateway:
        owner = f"scheduler-{secrets.token_hex(8)}"
        ledger = await asyncio.to_thread(Ledger.open, self._ledger_path, owner=owner)
        observers = (self._metrics, OpenTelemetrySpans())
        gateway = Gateway(config, self._pools, load_price_book(), ledger, observers)
        try:
            await gateway.start()
        except BaseloadError:
            await gateway.close(0)
            raise
        self._tasks.append(asyncio.create_task(self._watch_directory(gateway)))
        await self._serve_metrics(config)
        await self._hear_of_replicas(gateway)
        return gateway

    async def _hear_of_replicas(self, gateway: Gateway) -> None:
        """A Scheduler that takes an old one's place must know its replicas before it is asked:
        that they are listed, and of each model one whose load stream is open."""
        try:
            async with asyncio.timeout(HEARD_S_MAX):
                await self._listed.wait()
                while self._models - {target.pool.model for target in gateway.locals.values()}:
                    await asyncio.sleep(JOIN_POLL_S)
        except TimeoutError:
            log.warning("not heard of all replicas within %.0f s: starting without", HEARD_S_MAX)

    async def _serve_metrics(self, config: GatewayConfig) -> None:
        first, host = config.telemetry.metrics_port, config.telemetry.metrics_host
        if first is None:
            return
        port = await self._lowest_port(host, range(first, first + METRICS_PORTS_TRIED))
        if port is None:
            raise OSError(f"no free metrics port from {first} on: set telemetry.metrics_port")
        self._tasks.append(asyncio.create_task(self._move_down(host, range(first, port))))

    async def _move_down(self, host: str, lower: range) -> None:
        while lower:
            await asyncio.sleep(METRICS_RETRY_S)
            if (port := await self._lowest_port(host, lower)) is not None:
                lower = range(lower.start, port)

    async def _lowest_port(self, host: str, ports: range) -> int | None:
        for port in ports:
            try:
                await asyncio.to_thread(self._metrics_server.serve, host, port)
            except OSError:
                continue
            log.info("metrics on %s:%d", host, port)
            return port
        return None

    async def _watch_directory(self, gateway: Gateway) -> None:
        seen: tuple[int, int, bool] | None = None
        listed: dict[str, Registration] = {}
        while True:
            try:
                listing = await self._directory.watch.remote(seen)
            except ray.exceptions.RayError as error:
                log.warning("the directory did not answer: %s", error)
                await asyncio.sleep(DIRECTORY_RETRY_S)
                continue
            started_anew = seen is not None and listing.seen[0] != seen[0]
            seen, listed = listing.seen, listing.onto(listed)
            if started_anew:
                await self._tell(self._note)
            gateway.set_replicas([_endpoint(entry) for entry in listed.values()])
            self._models = {entry.replica.model for entry in listed.values()} & gateway.pools.keys()
            if listed or listing.complete:
                self._listed.set()

    async def drain(self) -> None:
        """Drains before Serve ends its proxy: that takes all connections with it, whatever runs
        there."""
        if self._gateway is not None:
            await self._gateway.drain(drain_s_max())

    async def check_health(self) -> None:
        if self._gateway is not None and not self._gateway.ledger.healthy():
            # A failed fsync is fatal: the next replica recovers from what is on the disk.
            raise RuntimeError(f"the ledger cannot be written: {self._gateway.ledger.failure}")

    async def __del__(self) -> None:
        if self._gateway is not None:
            for task in self._tasks:
                task.cancel()
            await self._gateway.close(drain_s_max())
        EDGE.close()
        await asyncio.to_thread(self._metrics_server.close)


def _read(user_config: dict[str, Any]) -> GatewayConfig:
    """Aside from the requests: files are read, the first price that only the package knows takes
    half a second, and so does the digest of very many tenants."""
    config = load_config(user_config)
    digest_of(config)
    prices, today = config.price_book(load_price_book()), utc_today()
    for provider, account in config.providers.items():
        for offer in account.offers.values():
            prices.price_at(provider, offer.name, today)
    return config


def _endpoint(entry: Registration) -> Endpoint:
    return Endpoint(entry.replica, entry.base_url, entry.token)
