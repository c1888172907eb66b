"""CPU per decision and memory of the scheduler at scale: ``python -m benchmarks.studies.scale``.

The real state machine with many replicas, all full, and a long queue. Per request: its arrival,
the end of another one, four load reports (what a replica that reports 25 times a second sends per
request), first tokens, and its part of a tick every 50 ms. Prompts share prefixes, five tenants
take turns. ``--requests`` also streams so many requests through a simulated pool and looks at the
process's memory on the way.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from time import process_time

import psutil

from benchmarks.rig.provenance import provenance
from benchmarks.simulation.offers import DEFAULT_OFFERS
from benchmarks.simulation.pools import MODEL as SIMULATED
from benchmarks.simulation.pools import SimPool
from benchmarks.simulation.profile import load_profile
from benchmarks.simulation.simulator import simulate_stream
from benchmarks.simulation.workload import Request
from scheduler.arrival import Arrival
from scheduler.decision import Action, Dispatch, Outcome
from scheduler.offer import Offer
from scheduler.replica import EngineLimits, LoadReport, Replica
from scheduler.settings import QueueSettings, Settings
from scheduler.state_machine import Scheduler

MODEL = "m"
MAX_NUM_SEQS = 64
REQUESTS_PER_S = 6  # of one replica
REPORTS_PER_REQUEST = 4
TICK_S = 0.05
PATIENCE_MS = 3_600_000
RESULT = Path(__file__).parents[1] / "results" / "scale.json"
EXAMPLE = "example: python -m benchmarks.studies.scale --requests 1000000"


class Pool:
    """Replicas that never finish by themselves, and the scheduler in front of them."""

    def __init__(self, replicas: int, seed: int = 1) -> None:
        offers = [
            Offer(o.offer_id, o.price.provider, MODEL, 262_144, 1 << 30, o.price)
            for o in DEFAULT_OFFERS
        ]
        bounds = Settings(
            queue=QueueSettings(requests_max=100_000, tokens_max=1 << 40, wait_ms_max=10**8)
        )
        self.scheduler = Scheduler(bounds, offers)
        self.random, self.now, self.count = Random(seed), 0.0, 0
        self.offer_ids = [offer.offer_id for offer in offers]
        self.running: list[list[str]] = [[] for _ in range(replicas)]
        self.totals = [[0.0, 0, 0, 0] for _ in range(replicas)]
        self.started: list[str] = []
        for number in range(replicas):
            limits = EngineLimits(715_072, 262_144, MAX_NUM_SEQS, 8_192)
            replica = Replica(f"r{number}", MODEL, 1, limits)
            self.scheduler.on_replica_joined(replica, self.now)
            self.take(self.scheduler.on_load_report(self.report(number), self.now))

    def arrival(self) -> Arrival:
        self.count += 1
        prompt_tokens = self.random.randrange(100, 3_000)
        blocks: tuple[int, ...] = ()
        if self.count % 3 == 0:
            group = self.count % 40
            blocks = tuple(group << 32 | n for n in range(prompt_tokens // 128))
        return Arrival(
            request_id=f"q{self.count}",
            tenant=f"t{self.count % 5}",
            model=MODEL,
            prompt_tokens=prompt_tokens,
            output_tokens=200,
            max_output_tokens=1_024,
            ttft_budget_ms=PATIENCE_MS,
            blocks=blocks,
            block_tokens=64,
            offers=frozenset({self.offer_ids[self.count % len(self.offer_ids)]}),
        )

    def report(self, number: int) -> LoadReport:
        totals, running = self.totals[number], len(self.running[number])
        totals[0] += 0.04
        totals[1] += 1
        totals[2] += 500
        totals[3] += running
        return LoadReport(
            running, 0, running * 1_300, 0, 15_000.0, 0.04, 0, 0,
            totals[0], int(totals[1]), int(totals[2]), int(totals[3]),
            replica_id=f"r{number}", generation=1,
        )  # fmt: skip

    def take(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Dispatch):
                self.running[int(action.replica_id[1:])].append(action.request_id)
                self.started.append(action.request_id)

    def fill(self, queued: int) -> None:
        """Sends requests until every slot is taken and so many wait."""
        while self.scheduler.snapshot(self.now).queue_requests < queued or self._has_slots():
            for _ in range(64):
                self.take(self.scheduler.on_arrival(self.arrival(), self.now))
                self.speak()
                self.now += 1e-5
            self.take(self.scheduler.on_tick(self.now))

    def _has_slots(self) -> bool:
        return sum(map(len, self.running)) < 0.95 * MAX_NUM_SEQS * len(self.running)

    def speak(self) -> None:
        for request_id in self.started:
            self.scheduler.on_progress(request_id, 1, self.now)
        self.started.clear()

    def turn(self, step_s: float) -> None:
        """What happens around one request."""
        self.now += step_s
        scheduler, random = self.scheduler, self.random
        self.take(scheduler.on_arrival(self.arrival(), self.now))
        number = random.randrange(len(self.running))
        if self.running[number]:
            ended = self.running[number].pop(random.randrange(len(self.running[number])))
            self.take(scheduler.on_finish(ended, Outcome.OK, self.now))
        self.speak()
        for _ in range(REPORTS_PER_REQUEST):
            number = random.randrange(len(self.running))
            self.take(scheduler.on_load_report(self.report(number), self.now))


def cpu_us_per_decision(replicas: int, queued: int, decisions: int) -> float:
    """The CPU of this process, what makes the requests included."""
    pool = Pool(replicas)
    pool.fill(queued)
    step_s = 1 / (REQUESTS_PER_S * replicas)
    next_tick, began = pool.now + TICK_S, process_time()
    for _ in range(decisions):
        pool.turn(step_s)
        if pool.now >= next_tick:
            next_tick = pool.now + TICK_S
            pool.take(pool.scheduler.on_tick(pool.now))
    return (process_time() - began) / decisions * 1e6


def memory_mib(requests: int, looks: int) -> list[float]:
    """The memory of this process, in MiB, while so many requests stream through eight simulated
    replicas."""
    profile, process = load_profile("h200"), psutil.Process()
    seen: list[float] = []

    def stream() -> Iterator[Request]:
        random, at_s = Random(1), 0.0
        for number in range(requests):
            if number % max(1, requests // looks) == 0:
                seen.append(round(process.memory_info().rss / 2**20, 1))
            at_s += random.expovariate(400.0)
            offer_id = DEFAULT_OFFERS[number % len(DEFAULT_OFFERS)].offer_id
            tokens = 20 + random.randrange(100), 1 + random.randrange(10)
            yield Request(f"q{number}", at_s, *tokens, 16, 2_000, (number,), (offer_id,))

    simulate_stream(
        stream(),
        [SimPool(SIMULATED, profile, 8)],
        offers=DEFAULT_OFFERS,
        duration_s=requests / 400.0,
    )
    return [*seen, round(process.memory_info().rss / 2**20, 1)]


def main(argv: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicas", type=int, nargs="+", default=[10, 100, 1_000])
    parser.add_argument("--queued", type=int, default=20_000)
    parser.add_argument("--decisions", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=0, help="stream so many for the memory")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    figures = []
    cells = [(options.replicas[0], 0), *((count, options.queued) for count in options.replicas)]
    for replicas, queued in cells:
        cpu_us = cpu_us_per_decision(replicas, queued, options.decisions)
        figures.append({"replicas": replicas, "queued": queued, "cpu_us": round(cpu_us, 1)})
        print(f"{replicas:5} replicas, {queued:6} queued: {cpu_us:.0f} us per decision")
    document: dict[str, object] = {"provenance": provenance(), "cpu_us_per_decision": figures}
    if options.requests:
        memory = memory_mib(options.requests, looks=10)
        print(f"{options.requests} requests streamed, MiB on the way: {memory}")
        document |= {"requests": options.requests, "memory_mib": memory}
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
