from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchmarks.peers import run as module
from benchmarks.peers.gateway_setting import Overload
from benchmarks.peers.litellm import LITELLM
from benchmarks.peers.overload import Bill
from benchmarks.peers.peer import Peer
from benchmarks.peers.plain_engines import Size
from benchmarks.peers.ray_serve_llm import RAY_SERVE_LLM
from benchmarks.peers.run import CONCURRENCIES, Effort, PeerComparison
from benchmarks.peers.side_by_side import DIRECT, Sample, Way
from benchmarks.peers.verdicts import CONCURRENCY as JUDGED
from benchmarks.peers.vllm_router import VLLM_ROUTER
from benchmarks.rig.closed_loop import Measured
from benchmarks.rig.common import BenchmarkError, Target
from benchmarks.rig.stack import Stack
from tests.benchmarks.rig.test_comparison import CELL

STACK, PLAIN, PROVIDER = "stack", "plain", "provider"
EFFORT = Effort(rounds=2, rounds_judged=4, window_s=1.0, overload_s=1.0)
BEFORE = {
    "baseload": STACK,
    **dict.fromkeys((VLLM_ROUTER.name, LITELLM.name), PLAIN),
    RAY_SERVE_LLM.name: PLAIN,  # it has its own; these are what it is compared with
}


def target(name: str) -> Target:
    return Target(f"http://{name}/v1", "unused")


@dataclass(frozen=True, slots=True)
class Running:
    target: Target

    def pids(self) -> Mapping[str, int]:
        return {}


@dataclass(frozen=True, slots=True)
class Cell:
    """``engines`` are those that stand behind the way, and ``up`` all that ran at the time."""

    concurrency: int
    way: str
    engines: str
    up: frozenset[str]


class Machine:
    """All that a comparison starts and asks. What is ``broken`` does not start, ``mute`` engines
    do not answer when they are asked directly."""

    def __init__(self) -> None:
        self.up: set[str] = set()
        self.started: list[str] = []
        self.played: list[Cell] = []
        self.broken: set[str] = set()
        self.mute: set[str] = set()
        self.bought = Bill()

    @contextlib.contextmanager
    def _start(self, name: str) -> Iterator[Target]:
        if name in self.broken:
            raise BenchmarkError(f"no {name} today")
        self.up.add(name)
        self.started.append(name)
        try:
            yield target(name)
        finally:
            self.up.remove(name)

    def provider(self, step_ms: float = 20.0) -> contextlib.AbstractContextManager[Target]:
        return self._start(PROVIDER)

    @contextlib.contextmanager
    def stack(self, state: Path, port: int | None, profile: Path) -> Iterator[Stack]:
        assert PROVIDER in self.up
        with self._start(STACK) as engine:
            yield Stack(target("baseload"), (engine,), {})

    @contextlib.contextmanager
    def plain(self, folder: Path, size: Size) -> Iterator[tuple[Target, ...]]:
        with self._start(PLAIN) as engine:
            yield (engine,)

    @contextlib.contextmanager
    def gateway(
        self,
        peer: Peer,
        python: Path,
        engines: tuple[Target, ...],
        folder: Path,
        overload: Overload | None = None,
    ) -> Iterator[Running]:
        assert {each.base_url for each in engines} <= {target(name).base_url for name in self.up}
        with self._start(peer.name) as own:
            yield Running(own)

    def play(self, way: Way, concurrency: int) -> Measured:
        (asked,) = (each.base_url.split("/")[2] for each in way.targets)
        engines = asked if way.name == DIRECT else BEFORE.get(way.name, asked)
        self.played.append(Cell(concurrency, way.name, engines, frozenset(self.up)))
        if way.name == DIRECT and engines in self.mute:
            raise BenchmarkError("no whole answer")
        return replace(CELL, concurrency=concurrency)

    def measured(self, concurrency: int) -> list[Cell]:
        """Past the warming up, which is at one concurrency."""
        return [each for each in self.played if each.concurrency == concurrency]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    for name, fake in {
        "provider": made.provider,
        "stack_running": made.stack,
        "plain_engines": made.plain,
        "running": made.gateway,
        "player": lambda window_s: made.play,
        "bill_of": lambda offering: made.bought,
        "profile": lambda folder, offering, size: folder / "profile.yaml",
        "python_of": lambda peer, cache: Path("python"),
        "version_of": lambda peer, python: "1",
    }.items():
        monkeypatch.setattr(module, name, fake)
    return made


def comparison(*peers: Peer) -> PeerComparison:
    made = PeerComparison(peers, EFFORT, Path("unused"), lambda line: None)
    made.prepare()
    return made


def of_engines(run: PeerComparison, folder: Path) -> PeerComparison:
    """The part of that name is over."""
    run.part("engines", run.run_engines, folder / "engines")
    return run


def rounds(samples: list[Sample]) -> Counter[tuple[str, int]]:
    return Counter((each.way, each.through.concurrency) for each in samples)


def test_all_engines_are_up_while_any_is_measured(machine: Machine, tmp_path: Path) -> None:
    run = of_engines(comparison(VLLM_ROUTER, RAY_SERVE_LLM), tmp_path)
    assert run.failures == []
    assert {each.up for each in machine.played} == {
        frozenset({PROVIDER, STACK, PLAIN, VLLM_ROUTER.name})
    }
    assert machine.up == set()


def test_every_round_goes_through_both_groups_and_is_turned_round(
    machine: Machine, tmp_path: Path
) -> None:
    of_engines(comparison(VLLM_ROUTER, LITELLM), tmp_path)
    ours = [(DIRECT, STACK), ("baseload", STACK), (DIRECT, STACK)]
    router, litellm = (VLLM_ROUTER.name, PLAIN), (LITELLM.name, PLAIN)
    direct = (DIRECT, PLAIN)
    forth = [*ours, direct, router, direct, litellm, direct]
    back = [direct, litellm, direct, router, direct, *ours]
    assert [(each.way, each.engines) for each in machine.measured(8)] == [*forth, *back]
    judged = [(each.way, each.engines) for each in machine.measured(JUDGED)]
    assert judged[-4 * len(forth) :] == [*forth, *back] * 2


def test_who_is_in_a_claim_has_more_rounds_where_it_is_judged(
    machine: Machine, tmp_path: Path
) -> None:
    run = of_engines(comparison(VLLM_ROUTER), tmp_path)
    assert rounds(run.through) == {
        (way, concurrency): EFFORT.rounds_judged if concurrency == JUDGED else EFFORT.rounds
        for way in ("baseload", VLLM_ROUTER.name)
        for concurrency in CONCURRENCIES
    }
    run = comparison(VLLM_ROUTER)
    run.part("scripted", run.run_scripted, tmp_path / "scripted")
    assert rounds(run.scripted) == {
        ("baseload", JUDGED): EFFORT.rounds_judged,
        (VLLM_ROUTER.name, JUDGED): EFFORT.rounds_judged,
    }


def test_own_engines_are_measured_without_baseload(machine: Machine, tmp_path: Path) -> None:
    run = comparison(VLLM_ROUTER, RAY_SERVE_LLM)
    run.part("own", run.run_own_engines, tmp_path / "own")
    assert {each.up for each in machine.played} == {frozenset({PLAIN, RAY_SERVE_LLM.name})}
    name = RAY_SERVE_LLM.name
    assert rounds(run.through) == {(name, each): EFFORT.rounds for each in CONCURRENCIES}


def test_nothing_is_started_for_nobody(machine: Machine, tmp_path: Path) -> None:
    of_engines(comparison(RAY_SERVE_LLM), tmp_path)
    assert machine.started == [PROVIDER, STACK]
    machine.started.clear()
    run = comparison(VLLM_ROUTER)
    run.part("own", run.run_own_engines, tmp_path / "own")
    assert machine.started == []
    assert run.failures == []


@pytest.mark.parametrize(
    ("broken", "failure", "left"),
    [
        (STACK, "Baseload's engines: no stack today", VLLM_ROUTER.name),
        (PROVIDER, "Baseload's engines: no provider today", VLLM_ROUTER.name),
        (PLAIN, "the plain engines: no plain today", "baseload"),
        (VLLM_ROUTER.name, "vllm-router: no vllm-router today", "baseload"),
    ],
)
def test_what_does_not_start_is_named_and_the_rest_is_measured(
    machine: Machine, tmp_path: Path, broken: str, failure: str, left: str
) -> None:
    machine.broken = {broken}
    run = of_engines(comparison(VLLM_ROUTER), tmp_path)
    assert run.failures == [failure]
    assert {each.way for each in run.through} == {left}
    assert {each.engines for each in machine.played} == {BEFORE[left]}
    assert rounds(run.through)[left, JUDGED] == EFFORT.rounds_judged
    assert machine.up == set()


def test_engines_that_do_not_answer_are_named_and_the_others_go_on(
    machine: Machine, tmp_path: Path
) -> None:
    machine.mute = {PLAIN}
    run = of_engines(comparison(VLLM_ROUTER), tmp_path)
    assert run.failures == [f"the plain engines at c={c}: no whole answer" for c in CONCURRENCIES]
    assert {each.way for each in run.through} == {"baseload"}
    assert rounds(run.through)["baseload", JUDGED] == EFFORT.rounds_judged


def test_baseload_is_to_buy_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.bought = Bill(requests=1)
    run = of_engines(comparison(VLLM_ROUTER), tmp_path)
    assert run.failures == ["baseload: it bought something while it was to pass all on"]
    assert rounds(run.through)["baseload", JUDGED] == EFFORT.rounds_judged
