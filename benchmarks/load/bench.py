"""Carries out a benchmark: some runs of one load, or a sweep for theta. Keeps what it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from benchmarks.load.endpoint import BadLoad
from benchmarks.load.result import Bench
from benchmarks.load.run import Notice, Run, Runner, deadline_s, with_seed
from benchmarks.load.schedule import Traffic
from benchmarks.load.stop_signal import Halt
from benchmarks.load.theta_sweep import Sweep, Sweeper
from benchmarks.load.worker_processes import OnPulse

RUNS_MAX = 100

OnStage: TypeAlias = Callable[[str, float], None]  # what begins, and how long it lasts


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how it goes."""

    on_stage: OnStage
    on_pulse: OnPulse
    on_run: Callable[[Run], None]
    notice: Notice


def carry_out(
    bench: Bench, runs: int, *, is_sweep: bool, watcher: Watcher, out: Path | None
) -> None:
    """Carries out a benchmark and fills ``bench``; after each run, what there is so far is kept in
    ``out``."""
    if not 1 <= runs <= RUNS_MAX:
        raise BadLoad(f"--runs {runs}: give 1 to {RUNS_MAX}")
    if is_sweep and bench.traffic.is_closed:
        raise BadLoad("--sweep looks for a rate, and a closed loop has none: give --rate")
    with (
        Halt() as halt,
        Runner(bench.setting, watcher.on_pulse, watcher.notice, halt) as runner,
    ):
        player = _Benchmark(bench, runner, watcher, out)
        if is_sweep:
            player.sweep(runs)
        else:
            player.repeat(runs)


class _Benchmark:
    def __init__(self, bench: Bench, runner: Runner, watcher: Watcher, out: Path | None) -> None:
        self._bench = bench
        self._runner = runner
        self._watcher = watcher
        self._out = out

    def repeat(self, runs: int) -> None:
        for number in range(runs):
            traffic = with_seed(self._bench.traffic, number)
            run = self._run(traffic, f"run {number + 1} of {runs}", None)
            if run.is_interrupted or not run.measures.answered:
                return  # the next ones would say nothing else

    def sweep(self, repetitions: int) -> None:
        bench = self._bench
        setting, traffic = bench.setting, bench.traffic
        start_per_s = traffic.rate_per_s or traffic.own_rate_per_s()
        drain_s = min(setting.endpoint.timeout_s, deadline_s(traffic, setting.slo))
        found = Sweep(setting.cards, setting.slo.attainment, setting.card_usd_per_h)
        bench.sweep = found

        def attempt(rate_per_s: float, repetition: int) -> Run:
            wanted = with_seed(replace(traffic, rate_per_s=rate_per_s), repetition)
            return self._run(wanted, f"{rate_per_s:.3g} requests/s", drain_s)

        Sweeper(found, attempt).find(start_per_s, repetitions)
        self._keep()

    def _run(self, traffic: Traffic, name: str, drain_s: float | None) -> Run:
        self._watcher.on_stage(name, self._bench.setting.window.to_s)
        run = self._runner.run(traffic, len(self._bench.runs), drain_s)
        self._bench.runs.append(run)
        self._keep()
        self._watcher.on_run(run)
        return run

    def _keep(self) -> None:
        if self._out is not None:
            self._bench.keep(self._out)
