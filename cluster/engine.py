"""An engine as a Serve replica: start, register, health, drain, and a loud death.

Serve awaits an async ``__init__`` and ``__del__``; mypy does not know that.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time

import ray
from ray import serve
from ray.serve.handle import DeploymentHandle

from cluster.leases import RENEW_S, Registration
from cluster.state import drain_s_max
from runtime.engine.health import HealthCheck
from runtime.engine.private_server import PrivateServer
from runtime.engine.settings import EngineSettings
from runtime.engine.vllm_engine import VllmEngine, died

DRAIN_POLL_S = 0.05
EXIT_ENGINE_DEAD = 70  # EX_SOFTWARE

log = logging.getLogger("ray.serve")


class _Engine:
    """A started vLLM engine behind its private server."""

    async def _start(self, settings: EngineSettings, host: str, port: int, token: str) -> None:
        self._engine = await VllmEngine.start(settings, token)
        self._health = HealthCheck(self._engine.meter, self._engine.probe)
        await self._engine.probe()  # the first token compiles what is compiled lazily
        self._server = PrivateServer(self._engine.app.asgi(), host, port)
        await self._server.start()
        self._tasks = [asyncio.create_task(self._die_loudly())]
        log.info("engine ready: %s", self._engine.facts)

    async def check_health(self) -> None:
        """Serve's poll; raising replaces this replica."""
        await self._health.check(time.monotonic())

    async def _die_loudly(self) -> None:
        await died(self._engine)
        log.critical("the engine process died: ending this replica, Serve starts another")
        logging.shutdown()
        os._exit(EXIT_ENGINE_DEAD)

    async def _drain(self) -> None:
        self._engine.app.draining = True
        deadline_s = time.monotonic() + drain_s_max()
        while self._engine.app.in_flight and time.monotonic() < deadline_s:
            await asyncio.sleep(DRAIN_POLL_S)
        for task in self._tasks:
            task.cancel()
        await self._server.stop()
        self._engine.close()


class Engine(_Engine):
    """A replica of a pool, listed in the directory while it lives."""

    async def __init__(  # type: ignore[misc]
        self, settings: EngineSettings, host: str | None, directory: DeploymentHandle
    ) -> None:
        self._directory = directory
        host = host or ray.util.get_node_ip_address()
        token = secrets.token_urlsafe(32)
        await self._start(settings, host, 0, token)
        facts = self._engine.facts
        unique_id = serve.get_replica_context().replica_id.unique_id
        self._entry = Registration(
            replica_id=f"{facts.model}-{unique_id}",
            model=facts.model,
            generation=time.time_ns() // 1_000_000,
            base_url=f"http://{host}:{self._server.port}/v1",
            token=token,
            kv_tokens_max=facts.kv_tokens_max,
            context_tokens_max=facts.context_tokens_max,
            running_max=facts.running_max,
            batched_tokens_max=facts.batched_tokens_max,
            kv_block_tokens=facts.kv_block_tokens,
        )
        await directory.renew.remote(self._entry)
        self._tasks.append(asyncio.create_task(self._renew_forever()))

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self._directory.renew.remote(self._entry)
            except ray.exceptions.RayError as error:
                log.warning("the directory did not answer: %s", error)

    async def __del__(self) -> None:
        try:
            await self._directory.leave.remote(self._entry.replica_id)
        except ray.exceptions.RayError as error:
            log.warning("could not leave the directory: %s", error)
        await self._drain()


class StandIn(_Engine):
    """The local profile's external vendor: a real engine on a port and a key of its own."""

    async def __init__(  # type: ignore[misc]
        self, settings: EngineSettings, host: str, port: int, key_env: str
    ) -> None:
        await self._start(settings, host, port, os.environ[key_env])

    async def __del__(self) -> None:
        await self._drain()
