"""One run of the comparison. What fails is named in the result, and what was measured is kept."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import sleep

import psutil

from benchmarks.peers.baseload_alone import BASELOAD, BASELOAD_ALONE
from benchmarks.peers.baseload_profile import profile
from benchmarks.peers.environment import Skipped, python_of, version_of
from benchmarks.peers.gateway import running
from benchmarks.peers.gateway_setting import Overload
from benchmarks.peers.overload import (
    BUDGET_MS,
    TIMES,
    Outcome,
    arrivals,
    bill_of,
    capacity_per_s,
    outcome_of,
    prices,
)
from benchmarks.peers.peer import Peer
from benchmarks.peers.plain_engines import ENGINES, NARROW, WIDE, plain_engines
from benchmarks.peers.side_by_side import (
    DIRECT,
    Group,
    Row,
    Sample,
    Way,
    in_turn,
    player,
    row_of,
    take_turns,
)
from benchmarks.peers.verdicts import CONCURRENCY as JUDGED
from benchmarks.rig.common import BenchmarkError, Target
from benchmarks.rig.open_loop import OpenLoop, run_apart
from benchmarks.rig.stack import running as stack_running
from benchmarks.rig.stand_in import provider

CONCURRENCIES = (1, 8, JUDGED, 128)
WARM_UP_CONCURRENCY = 32
REST_S = 3.0  # for what was given up to be taken back
FAILURES = (BenchmarkError, OSError, psutil.Error)
OURS, PLAIN, SCRIPTED = "Baseload's engines", "the plain engines", "the scripted upstream"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int  # at each concurrency
    rounds_judged: int  # at the one that the claims are about, of who is in a claim or beside them
    window_s: float  # of a cell
    overload_s: float


class PeerComparison:
    def __init__(self, peers: Sequence[Peer], effort: Effort, cache: Path, say: Say) -> None:
        self.through: list[Sample] = []
        self.scripted: list[Sample] = []
        self.outcomes: list[Outcome] = []
        self.versions: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        self.failures: list[str] = []
        self._peers = peers
        self._effort = effort
        self._cache = cache
        self._say = say
        self._pythons: dict[str, Path] = {BASELOAD: Path(sys.executable)}
        self._play = player(effort.window_s)

    def prepare(self) -> None:
        """Environments for all; who cannot have one is left out."""
        for peer in self._peers:
            self._say(f"{peer.title}: its environment is in {self._cache / peer.name}")
            try:
                python = python_of(peer, self._cache)
                self.versions[peer.name] = version_of(peer, python)
            except Skipped as skipped:
                self.skipped[peer.name] = str(skipped)
                self._say(f"  skipped: {skipped}")
                continue
            self._pythons[peer.name] = python

    def part(self, name: str, work: Callable[[Path], None], folder: Path) -> None:
        self._say(f"== {name}")
        folder.mkdir()
        try:
            work(folder)
        except FAILURES as error:
            self._failed(name, error)
        except KeyboardInterrupt:
            self.failures.append(f"{name}: interrupted")
            raise

    def run_scripted(self, folder: Path) -> None:
        """Measures the gateways themselves, in front of an upstream that costs next to nothing."""
        peers = [BASELOAD_ALONE, *self._in_front()]
        with provider(step_ms=0) as upstream, self._started(peers, (upstream,), folder) as ways:
            group = Group(SCRIPTED, Way(DIRECT, (upstream,)), ways)
            self._compare([group], {JUDGED: self._effort.rounds_judged}, self.scripted)

    def run_engines(self, folder: Path) -> None:
        """Baseload before its engines and the peers before the plain ones, in the same rounds."""
        starts = [(OURS, self._baseload)]
        if self._in_front():
            starts.append((PLAIN, self._peers_in_front))
        rounds = self._rounds() | {JUDGED: self._effort.rounds_judged}
        with contextlib.ExitStack() as stack:
            groups = []
            for engines, start in starts:
                self._say(f"starting {engines}")
                try:
                    groups.append(stack.enter_context(start(folder)))
                except FAILURES as error:
                    self._failed(engines, error)
            self._compare(groups, rounds, self.through)

    def run_own_engines(self, folder: Path) -> None:
        """Peers with engines of their own, one by one, beside the plain ones asked directly.

        Baseload's stack is down by then: such a peer may start a Ray, and so has Baseload.
        """
        if not (peers := self._with_engines()):
            return
        with plain_engines(folder, WIDE) as engines:
            for peer in peers:
                with self._started([peer], (), folder) as ways:
                    group = Group(PLAIN, Way(DIRECT, engines), ways)
                    self._compare([group], self._rounds(), self.through)

    def run_overload_of_baseload(self, folder: Path) -> None:
        with (
            provider() as offering,
            stack_running(folder / "stack", None, profile(folder, offering, NARROW)) as site,
        ):
            capacity = self._capacity(site.engines)
            self._warm_up(Way(BASELOAD, (site.endpoint,)))
            self._load_beyond(BASELOAD, (site.endpoint,), capacity, offering)

    def run_overload_of_peers(self, folder: Path) -> None:
        with provider() as offering:
            with plain_engines(folder, NARROW) as engines:
                capacity = self._capacity(engines)
                self._load_beyond(DIRECT, engines, capacity, offering)
                for peer in self._in_front():
                    self._overload(peer, engines, capacity, offering, folder)
            for peer in self._with_engines():
                self._overload(peer, (), capacity, offering, folder)

    def rows(self, samples: Sequence[Sample]) -> list[Row]:
        def place(sample: Sample) -> tuple[int, str]:
            return sample.through.concurrency, sample.way

        ordered = sorted(samples, key=place)
        return [row_of(list(group)) for _, group in groupby(ordered, key=place)]

    def _in_front(self) -> list[Peer]:
        """Of the engines of another."""
        return [p for p in self._peers if p.name in self._pythons and not p.has_engines]

    def _with_engines(self) -> list[Peer]:
        return [p for p in self._peers if p.name in self._pythons and p.has_engines]

    @contextlib.contextmanager
    def _baseload(self, folder: Path) -> Iterator[Group]:
        with (
            provider() as offering,
            stack_running(folder / "stack", None, profile(folder, offering, WIDE)) as site,
        ):
            baseload = Way(BASELOAD, (site.endpoint,), lambda: site.watched)
            yield Group(OURS, Way(DIRECT, site.engines), [baseload])
            if bill_of(offering).requests:
                self._failed(BASELOAD, "it bought something while it was to pass all on")

    @contextlib.contextmanager
    def _peers_in_front(self, folder: Path) -> Iterator[Group]:
        with (
            plain_engines(folder, WIDE) as engines,
            self._started(self._in_front(), engines, folder) as ways,
        ):
            yield Group(PLAIN, Way(DIRECT, engines), ways)

    @contextlib.contextmanager
    def _started(
        self,
        peers: Sequence[Peer],
        engines: tuple[Target, ...],
        folder: Path,
        overload: Overload | None = None,
    ) -> Iterator[list[Way]]:
        """Those that do start."""
        with contextlib.ExitStack() as stack:
            ways = []
            for peer in peers:
                self._say(f"starting {peer.title}")
                place, python = folder / peer.name, self._pythons[peer.name]
                try:
                    gateway = stack.enter_context(running(peer, python, engines, place, overload))
                except FAILURES as error:
                    self._failed(peer.title, error)
                    continue
                ways.append(Way(peer.name, (gateway.target,), gateway.pids))
            yield ways

    def _rounds(self) -> dict[int, int]:
        """By concurrency."""
        return dict.fromkeys(CONCURRENCIES, self._effort.rounds)

    def _compare(
        self, groups: Sequence[Group], rounds: Mapping[int, int], into: list[Sample]
    ) -> None:
        """A group whose engines do not answer is out at that concurrency; the others go on."""
        groups = [group for group in groups if group.ways]
        for group in groups:
            for way in (group.direct, group.direct, *group.ways):
                self._warm_up(way)
        for concurrency, count in rounds.items():
            left = list(groups)
            for number in range(count):
                for group in in_turn(left, number):
                    try:
                        self._take_turns(group, concurrency, number, into)
                    except FAILURES as error:
                        self._failed(f"{group.engines} at c={concurrency}", error)
                        left.remove(group)

    def _take_turns(self, group: Group, concurrency: int, number: int, into: list[Sample]) -> None:
        samples, failures = take_turns(group, concurrency, number, self._play)
        into.extend(samples)
        for each in samples:
            self._say(f"  c={concurrency} {each.brief()}")
        for name, why in failures.items():
            self._failed(f"{name} at c={concurrency}", why)

    def _warm_up(self, way: Way) -> None:
        with contextlib.suppress(BenchmarkError):
            self._play(way, WARM_UP_CONCURRENCY)

    def _capacity(self, engines: tuple[Target, ...]) -> float:
        self._warm_up(Way(DIRECT, engines))
        found = capacity_per_s(engines)
        self._say(f"the engines end {found:.1f} requests/s")
        return found

    def _overload(
        self,
        peer: Peer,
        engines: tuple[Target, ...],
        capacity: float,
        offering: Target,
        folder: Path,
    ) -> None:
        limits = Overload(offering, ENGINES * NARROW.running_max, capacity, BUDGET_MS / 1000)
        with self._started([peer], engines, folder, limits) as ways:
            for way in ways:
                self._warm_up(way)
                self._load_beyond(way.name, way.targets, capacity, offering)

    def _load_beyond(
        self, name: str, targets: tuple[Target, ...], capacity: float, offering: Target
    ) -> None:
        seconds = self._effort.overload_s
        before = bill_of(offering)
        try:
            asks = arrivals(TIMES * capacity, seconds)
            answers = run_apart(OpenLoop(targets, (), asks, seed=2)).answers
        except BenchmarkError as error:
            self._failed(f"{name} under overload", error)
            return
        sleep(REST_S)
        bought = bill_of(offering) - before
        found = outcome_of(name, capacity, answers, bought, prices(), seconds)
        self.outcomes.append(found)
        self._say(f"  {found}")

    def _failed(self, what: str, why: object) -> None:
        self.failures.append(f"{what}: {why}")
        self._say(f"{what}: {why}")
