"""The parts that a cell of ``benchmarks.studies.optimality_gap`` is made of, done side by side.

A part is one bound, or one policy that is played. Parts depend on nothing but their own choices,
so that as many processes as there are cores can share them. The slow ones of a cell come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeAlias

from benchmarks.simulation.experiment import Experiment, Prepared, prepare
from benchmarks.simulation.offer_text import BOOK_EXAMPLE, parse_offer
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.sweep import best_threshold, run

Priced: TypeAlias = Literal["three-offers", "one-price"]

TRACES = {
    "azure-conv": ("AzureLLMInferenceTrace_conv.csv", 2_000),
    "azure-code": ("AzureLLMInferenceTrace_code.csv", 2_000),
    "mooncake": ("conversation_trace.jsonl", 10_000),
}
ONE_PRICE = BOOK_EXAMPLE  # a dated entry of the price book
PINNED_SHARE = 0.3
BOUND, THRESHOLD = "bound", "best_threshold"
# What is played of each kind of alternatives, and by which choices; the slow parts come first.
PARTS: Mapping[Priced, Mapping[str, Mapping[str, Any]]] = {
    "three-offers": {
        BOUND: {},
        THRESHOLD: {},
        "learned": {"lengths": "learned"},
        "told": {"lengths": "told"},
        "first_come": {"policy": "first-come"},
        "density_first": {"policy": "density-first"},
        "pinned": {"pinned_share": PINNED_SHARE},
    },
    "one-price": {
        BOUND: {},
        THRESHOLD: {},
        "bid_price": {},
        "density_first": {"policy": "density-first"},
        "first_come": {"policy": "first-come"},
    },
}
# How many times as long as one policy at the same load, roughly: only an estimate needs it.
_WEIGHTS = {BOUND: 2.5, THRESHOLD: 7.0}
_WEIGHTS_OF_TRACE = {"mooncake": 2.0}


@dataclass(frozen=True, slots=True)
class Part:
    folder: Path
    trace: str
    load: float
    priced: Priced
    name: str

    @property
    def weight(self) -> float:
        of_trace = _WEIGHTS_OF_TRACE.get(self.trace, 1.0)
        return max(1.0, self.load) * _WEIGHTS.get(self.name, 1.0) * of_trace

    def __str__(self) -> str:
        return f"{self.trace} at load {self.load:g}, {self.priced}: {self.name.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Done:
    """A part that was done. ``outcome`` is None of a bound; ``bound_usd`` is None of a policy, and
    of a bound that the solver did not find. ``rule`` says which threshold was the best."""

    part: Part
    seconds: float
    laps: int
    requests: int
    duration_s: float
    outcome: Outcome | None = None
    bound_usd: float | None = None
    rule: str = ""


def parts_of(folder: Path, trace: str, load: float) -> list[Part]:
    return [
        Part(folder, trace, load, priced, name) for priced, names in PARTS.items() for name in names
    ]


def do(part: Part) -> Done:
    began = perf_counter()
    choices = PARTS[part.priced][part.name]
    ready = _prepared(replace(part, name=""), choices.get("pinned_share", 0.0))
    ready = replace(ready, experiment=replace(ready.experiment, **choices))
    outcome, bound_usd, rule = None, None, ""
    if part.name == BOUND:
        from benchmarks.simulation.clairvoyant_bound import pools_bound  # scipy is slow to import

        bound_usd = pools_bound(ready.workload, ready.pools).usd
    elif part.name == THRESHOLD:
        threshold, outcome = best_threshold(ready)
        rule = str(threshold)
    else:
        outcome = run(ready).outcome
    return Done(
        part=part,
        seconds=perf_counter() - began,
        laps=ready.experiment.laps or 1,
        requests=len(ready.workload.requests),
        duration_s=ready.workload.duration_s,
        outcome=outcome,
        bound_usd=bound_usd,
        rule=rule,
    )


def _experiment(part: Part, pinned_share: float) -> Experiment:
    name, ttft_ms = TRACES[part.trace]
    plain = Experiment(
        trace=part.folder / name, load=part.load, ttft_ms=ttft_ms, pinned_share=pinned_share
    )
    if part.priced == "one-price":
        return replace(plain, offers=(parse_offer(ONE_PRICE),))
    return plain


@lru_cache(maxsize=1)
def _prepared(part: Part, pinned_share: float) -> Prepared:
    """The parts that follow each other in a process mostly share it, whatever their names."""
    return prepare(_experiment(part, pinned_share))


def do_all(parts: Sequence[Part], jobs: int, work: Callable[[Part], Done] = do) -> Iterator[Done]:
    """Each part as it is done. What fails ends all."""
    if jobs == 1:
        yield from map(work, parts)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(work, part) for part in parts]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
