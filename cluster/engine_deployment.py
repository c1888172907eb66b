"""An engine as a Serve replica: start, register, health, drain, and a loud death.

Serve awaits an async ``__init__`` and ``__del__``; mypy does not know that.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from functools import partial

import ray
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from cluster.replica_leases import RENEW_S, Registration
from cluster.run.start_report import Reporter
from cluster.state_folder import drain_s_max
from runtime.edge.private_server import PrivateServer
from runtime.engine.engine_settings import EngineFacts, EngineSettings
from runtime.engine.health import HealthCheck
from runtime.engine.private_app import rank_path
from runtime.engine.process_log import OwnLog
from runtime.engine.prompted_outage import down_where_asked
from runtime.engine.startup import Served, start_engine
from runtime.engine.vllm_adapter.engine import VllmEngine
from runtime.errors import BaseloadError
from runtime.start_failed import StartFailed
from scheduler.replica import Replica

DRAIN_POLL_S = 0.05
DEAD_POLL_S = 0.2
LEAVE_S_MAX = 2.0  # the directory may be restarting; its lease on us ends in any case
NODES_ENV = "VLLM_RAY_DP_PLACEMENT_NODE_IPS"
EXIT_ENGINE_DEAD = 70  # EX_SOFTWARE

log = logging.getLogger("ray.serve")


class _Engine:
    """A started vLLM engine behind its private server. Half-started, it has less to end."""

    def __init__(self) -> None:
        self._engine: VllmEngine | None = None
        self._server: PrivateServer | None = None
        self._checks: list[HealthCheck] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def _start(
        self, settings: EngineSettings, host: str, port: int, token: str
    ) -> tuple[EngineFacts, int]:
        """What the engine is, and the port that it is asked on. StartFailed says why there is
        none: Serve puts it into the deployment's status."""
        self._reporter = Reporter(f"an engine of {settings.model}", OwnLog().path)
        try:
            engine = self._engine = await start_engine(settings, token, self._note)
            self._server = PrivateServer(self._served(engine), host, port)
        except BaseloadError as error:
            failed = error if isinstance(error, StartFailed) else StartFailed(error.message)
            self._reporter.failed(failed)
            raise failed from None
        self._checks = [
            HealthCheck(meter, partial(engine.probe, rank))
            for rank, meter in enumerate(engine.meters)
        ]
        await self._server.start()
        self._tasks = [asyncio.create_task(self._die_loudly(engine))]
        log.info("engine ready: %s", engine.facts)
        return engine.facts, self._server.port

    def _served(self, engine: VllmEngine) -> ASGIApp:
        return engine.app.asgi()

    def _note(self, line: str) -> None:
        log.warning("%s", line)
        self._reporter.note(line)

    async def check_health(self) -> None:
        """Serve's poll; raising replaces this replica."""
        for check in self._checks:
            await check.check(time.monotonic())

    async def _die_loudly(self, engine: VllmEngine) -> None:
        served = Served(engine.facts.model)
        while not engine.dead:
            await asyncio.sleep(DEAD_POLL_S)
        end = served.end()
        log.critical("ending this replica, Serve starts another: %s", end)
        self._reporter.failed(end)
        logging.shutdown()
        os._exit(EXIT_ENGINE_DEAD)

    async def _drain(self, drain_s: float) -> None:
        for task in self._tasks:
            task.cancel()
        if self._engine is None:
            return
        self._engine.app.draining = True
        deadline_s = time.monotonic() + drain_s
        while self._engine.app.in_flight and time.monotonic() < deadline_s:
            await asyncio.sleep(DRAIN_POLL_S)
        if self._server is not None:
            await self._server.stop()
        self._engine.close()


class Engine(_Engine):
    """A replica of a pool, listed in the directory while it lives.

    ``drain_s`` is given: Serve waits as long, and the environment of this node may differ.
    """

    async def __init__(  # type: ignore[misc]
        self,
        settings: EngineSettings,
        host: str | None,
        directory: DeploymentHandle,
        drain_s: float,
    ) -> None:
        super().__init__()
        self._directory = directory
        self._drain_s = drain_s
        self._entries: list[Registration] = []
        host = host or ray.util.get_node_ip_address()
        token = secrets.token_urlsafe(32)
        if settings.layout.nodes > 1 and settings.data_parallel > 1:
            os.environ[NODES_ENV] = ",".join(_nodes_of_replica())
        facts, bound = await self._start(settings, host, 0, token)
        unique_id = serve.get_replica_context().replica_id.unique_id
        self._entries = registrations(facts, unique_id, f"http://{host}:{bound}", token)
        await directory.renew.remote(self._entries)
        self._tasks.append(asyncio.create_task(self._renew_forever()))
        self._reporter.ready()

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._directory.renew.remote(self._entries)
            except ray.exceptions.RayError as error:
                log.warning("the directory did not answer: %s", error)

    async def __del__(self) -> None:
        """Also of a replica that did not start, whose own fault nothing here may hide."""
        for task in self._tasks:
            task.cancel()  # or the next renewal would bring it back onto the list
        if self._entries:
            await self._leave()
        await self._drain(self._drain_s)

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(LEAVE_S_MAX):
                await self._directory.leave.remote([each.replica_id for each in self._entries])
        except (ray.exceptions.RayError, TimeoutError) as error:
            log.warning("could not leave the directory: %s", error)


def registrations(
    facts: EngineFacts, unique_id: str, address: str, token: str
) -> list[Registration]:
    """One for each data-parallel rank: it has its own KV cache and runs its own requests."""
    paths = [rank_path(rank, facts.ranks) for rank in range(facts.ranks)]
    generation = time.time_ns() // 1_000_000
    return [
        Registration(
            Replica(
                replica_id=f"{facts.model}-{unique_id}{path.replace('/', '-')}",
                model=facts.model,
                generation=generation,
                limits=facts.limits,
            ),
            base_url=f"{address}{path}/v1",
            token=token,
        )
        for path in paths
    ]


def _nodes_of_replica() -> list[str]:
    """Addresses of the nodes that this replica's placement group holds."""
    group = ray.util.get_current_placement_group()
    held = set(ray.util.placement_group_table(group)["bundles_to_node_id"].values())
    return sorted(node["NodeManagerAddress"] for node in ray.nodes() if node["NodeID"] in held)


class StandIn(_Engine):
    """The local profile's external vendor: a real engine on a port and a key of its own."""

    async def __init__(  # type: ignore[misc]
        self, settings: EngineSettings, host: str, port: int, key_env: str
    ) -> None:
        super().__init__()
        await self._start(settings, host, port, os.environ[key_env])
        self._reporter.ready()

    def _served(self, engine: VllmEngine) -> ASGIApp:
        return down_where_asked(super()._served(engine))

    async def __del__(self) -> None:
        await self._drain(drain_s_max())
