"""The modelled replicas of a run: their steps, their load reports, their deaths.

A replica reports at the end of a step, at most every ``REPORT_S``; when it falls idle, as soon as
that allows, and then every ``HEARTBEAT_S``. What is sent to it arrives after ``dispatch_s``: the
next step has begun by then, as it has in a real engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from benchmarks.simulation.clock import Clock
from benchmarks.simulation.engine import EngineRequest, SimReplica
from benchmarks.simulation.faults import NOTICE_S, Death
from benchmarks.simulation.pools import SimPool
from scheduler.replica import LoadReport, Replica

REPORT_S = 0.04
HEARTBEAT_S = 0.5
DISPATCH_S = 0.003
SLACK_S = 1e-9  # what adding up times may be off by


def replica_name(number: int) -> str:
    """Numbers go on from pool to pool."""
    return f"replica-{number}"


class Watcher(Protocol):
    """Who is told what happens in the fleet."""

    def on_tokens(self, request: EngineRequest) -> None: ...

    def on_report(self, report: LoadReport) -> None: ...

    def on_joined(self, replica: Replica) -> None: ...

    def on_left(self, replica_id: str) -> None: ...

    def on_broken(self, request_id: str) -> None: ...


@dataclass(slots=True, eq=False)
class _Boot:
    """One replica from a boot to its death."""

    engine: SimReplica
    is_alive: bool = True
    reported_s: float = -inf
    timer_s: float = -inf  # when an idle one reports next


@dataclass(slots=True)
class Totals:
    """The sums over all boots. The two times are seconds of engine time."""

    busy_s: float = 0.0
    useful_s: float = 0.0
    preemptions: int = 0
    hit_tokens: int = 0

    def add(self, engine: SimReplica) -> None:
        self.busy_s += engine.meter.busy_s
        self.useful_s += engine.useful_s
        self.preemptions += engine.meter.preemptions
        self.hit_tokens += engine.meter.prefix_hit_tokens


class Fleet:
    def __init__(
        self,
        pools: Sequence[SimPool],
        block_tokens: int,
        clock: Clock,
        watcher: Watcher,
        dispatch_s: float = DISPATCH_S,
    ) -> None:
        of_each = (pool for pool in pools for _ in range(pool.replicas))
        self._pools = {replica_name(number): pool for number, pool in enumerate(of_each)}
        self._dispatch_s = dispatch_s
        self._block_tokens = block_tokens
        self._clock = clock
        self._watcher = watcher
        self._boots: dict[str, _Boot] = {}
        self._dead = Totals()

    def boot(self, replica_id: str) -> None:
        pool, old = self._pools[replica_id], self._boots.get(replica_id)
        replica = Replica(
            replica_id=replica_id,
            model=pool.model,
            generation=1 if old is None else old.engine.replica.generation + 1,
            limits=pool.profile.limits,
        )
        boot = _Boot(SimReplica(pool.profile, replica, self._block_tokens))
        self._boots[replica_id] = boot
        self._watcher.on_joined(replica)
        self._report(boot)
        self._rest(boot)

    def die(self, death: Death) -> None:
        replica_id = replica_name(death.replica)
        boot = self._boots.get(replica_id)
        if boot is None or not boot.is_alive:
            return
        boot.is_alive = False
        self._dead.add(boot.engine)
        for request in boot.engine.requests():
            self._watcher.on_broken(request.request_id)
        self._clock.at(self._clock.now + NOTICE_S, self._leave, boot)
        if death.back_after_s is not None:
            self._clock.at(self._clock.now + death.back_after_s, self.boot, replica_id)

    def has(self, replica_id: str) -> bool:
        return replica_id in self._boots

    def model_of(self, replica_id: str) -> str:
        return self._pools[replica_id].model

    def send(self, replica_id: str, request: EngineRequest) -> None:
        """Sends a request to the boot that lives now; it is broken off if that one is dead on
        arrival."""
        delivery = (self._boots[replica_id], request)
        self._clock.at(self._clock.now + self._dispatch_s, self._deliver, delivery)

    def totals(self) -> Totals:
        dead = self._dead
        totals = Totals(dead.busy_s, dead.useful_s, dead.preemptions, dead.hit_tokens)
        for boot in self._boots.values():
            if boot.is_alive:
                totals.add(boot.engine)
        return totals

    def fill(self) -> tuple[float, float]:
        """The shares of the live replicas' KV cache and slots that are taken."""
        engines = [boot.engine for boot in self._boots.values() if boot.is_alive]
        kv_tokens = sum(engine.kv_tokens for engine in engines)
        running = sum(engine.running for engine in engines)
        kv_tokens_max = sum(engine.profile.kv_tokens_max for engine in engines)
        running_max = sum(engine.profile.running_max for engine in engines)
        return kv_tokens / max(1, kv_tokens_max), running / max(1, running_max)

    # What happens by itself

    def _deliver(self, delivery: tuple[_Boot, EngineRequest]) -> None:
        boot, request = delivery
        if not boot.is_alive:
            self._watcher.on_broken(request.request_id)
            return
        boot.engine.push(request)
        if not boot.engine.is_stepping:
            self._step(boot)

    def _step(self, boot: _Boot) -> None:
        ends_s = boot.engine.begin_step(self._clock.now)
        if ends_s is not None:
            self._clock.at(ends_s, self._end_step, boot)

    def _end_step(self, boot: _Boot) -> None:
        if not boot.is_alive:
            return
        told = boot.engine.end_step()
        self._step(boot)
        for request in told:
            self._watcher.on_tokens(request)
        if self._clock.now >= boot.reported_s + REPORT_S - SLACK_S:
            self._report(boot)
        if not boot.engine.is_stepping:
            self._rest(boot)

    def _report(self, boot: _Boot) -> None:
        boot.reported_s = self._clock.now
        self._watcher.on_report(boot.engine.report())

    def _rest(self, boot: _Boot) -> None:
        """It is idle: what its last report did not say is said next, then a heartbeat."""
        is_told = boot.reported_s >= self._clock.now - SLACK_S
        boot.timer_s = boot.reported_s + (HEARTBEAT_S if is_told else REPORT_S)
        self._clock.at(boot.timer_s, self._on_timer, (boot, boot.timer_s))

    def _on_timer(self, timer: tuple[_Boot, float]) -> None:
        boot, timer_s = timer
        if boot.is_alive and boot.timer_s == timer_s and not boot.engine.is_stepping:
            self._report(boot)
            self._rest(boot)

    def _leave(self, boot: _Boot) -> None:
        replica_id = boot.engine.replica.replica_id
        if self._boots[replica_id] is boot:  # else it has booted again
            self._watcher.on_left(replica_id)
