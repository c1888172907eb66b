"""One gateway process in front of a scripted provider: what a chunk costs it, and how many fit.

All that a request passes through is there (keys, validation, scheduler, ledger, stream), and no
engine shares its cores. CPU per chunk is all CPU of the process divided by the chunks, at a
moderate pace. An answer has costs of its own, its two durable ledger rows before all, so short
answers are measured, too, and answers that do not begin and end together: these share no ledger
commit. For the highest rate, the pace is raised step by step.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml

from benchmarks.rig.child import Child
from benchmarks.rig.closed_loop import ClosedLoop, Measured, run_apart
from benchmarks.rig.common import MODEL, Target
from benchmarks.rig.scripted_upstream import READY_LINE

CONCURRENCY = 64
PROVIDER = "stand-in"  # the price book has its prices
PROVIDER_KEY_ENV = "BASELOAD_BENCH_KEY"
GATEWAY = "gateway"
UPSTREAM = "upstream"
ANSWER_TOKENS = 256
SHORT_ANSWER_TOKENS = 64
CPU_PACE_CHUNKS_S = 10_000
PACES_CHUNKS_S = (15_000, 20_000, 30_000, 40_000)
PACE_ROUNDS = 2

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shape:
    """The load of one cell."""

    offered_chunks_s: int
    answer_tokens: int = ANSWER_TOKENS
    spread: bool = False


USUAL = Shape(CPU_PACE_CHUNKS_S)
SHORT = Shape(CPU_PACE_CHUNKS_S, SHORT_ANSWER_TOKENS)
SPREAD = Shape(CPU_PACE_CHUNKS_S, spread=True)


@dataclass(frozen=True, slots=True)
class Cell:
    shape: Shape
    measured: Measured

    @property
    def cpu_us_per_chunk(self) -> float:
        return self.measured.cpu_us_per_chunk(GATEWAY)

    @property
    def cpu_share(self) -> float:
        """The gateway's CPU time as a share of one core."""
        return self.measured.cpu_s[GATEWAY] / self.measured.window_s

    @property
    def others_cpu_share(self) -> float:
        """What processes that are no part of this took, of one core: 0 on a quiet machine."""
        known_s = sum(self.measured.cpu_s.values())
        others_share = (self.measured.machine_cpu_s - known_s) / self.measured.window_s
        return max(0.0, others_share - self.measured.client_cpu_share)


class GatewayAlone:
    """``cells`` grows as it measures, so that what was measured before a failure is kept."""

    def __init__(self, folder: Path, *, window_s: float, rounds: int, say: Say) -> None:
        self.cells: list[Cell] = []
        self._folder = folder
        self._window_s = window_s
        self._rounds = rounds
        self._say = say
        self._key = "bl-" + secrets.token_urlsafe(32)

    def run(self) -> None:
        with _upstream(port=0, step_ms=0) as probe:
            upstream_url = _url(probe.wait_ready())
        config = self._folder / "gateway-alone.yaml"
        config.write_text(yaml.safe_dump(_routing(upstream_url, self._key)))
        argv = [sys.executable, "-m", "runtime.standalone", "--config", str(config)]
        argv += ["--port", "0", "--state", str(self._folder)]
        with Child(argv, READY_LINE, {PROVIDER_KEY_ENV: "unused"}) as gateway:
            target = Target(_url(gateway.wait_ready()), self._key)
            port = int(upstream_url.rpartition(":")[2].partition("/")[0])
            shapes = [USUAL, SHORT, SPREAD] * self._rounds
            for shape in [*shapes, *[Shape(pace) for pace in PACES_CHUNKS_S] * PACE_ROUNDS]:
                self._cell(target, gateway.pid, port, shape)

    def _cell(self, target: Target, pid: int, port: int, shape: Shape) -> None:
        with _upstream(port, step_ms=CONCURRENCY / shape.offered_chunks_s * 1000) as upstream:
            upstream.wait_ready()
            load = ClosedLoop(
                (target,),
                CONCURRENCY,
                shape.answer_tokens,
                self._window_s,
                spread=shape.spread,
                watched={GATEWAY: pid, UPSTREAM: upstream.pid},
            )
            cell = Cell(shape, run_apart(load))
        self.cells.append(cell)
        self._say(
            f"{shape.offered_chunks_s} chunks/s in answers of {shape.answer_tokens}: "
            f"{cell.measured.chunks_s:.0f} chunks/s in {cell.measured.reads_s:.0f} reads/s, "
            f"{cell.cpu_us_per_chunk:.1f} us CPU per chunk"
        )


def cpu_us_per_chunk(cells: Sequence[Cell], shape: Shape) -> float | None:
    """The median of the rounds; None if it was not measured."""
    values = [cell.cpu_us_per_chunk for cell in cells if cell.shape == shape]
    return median(values) if values else None


def chunks_per_s(cells: Sequence[Cell]) -> float | None:
    """The highest rate of deliveries: chunks that arrived merged count as one."""
    return max((cell.measured.reads_s for cell in cells), default=None)


def _upstream(port: int, step_ms: float) -> Child:
    argv = [sys.executable, "-m", "benchmarks.rig.scripted_upstream"]
    return Child([*argv, "--port", str(port), "--step-ms", str(step_ms)], READY_LINE)


def _url(ready_line: str) -> str:
    return ready_line.removeprefix(READY_LINE)


def _routing(upstream_url: str, key: str) -> dict[str, object]:
    offer = {"name": MODEL, "in_flight_max": 4 * CONCURRENCY}
    provider = {
        "base_url": upstream_url,
        "key_env": PROVIDER_KEY_ENV,
        "offers": {MODEL: offer},
    }
    return {
        "tenants": {"bench": {"key_sha256": [hashlib.sha256(key.encode()).hexdigest()]}},
        "providers": {PROVIDER: provider},
    }
