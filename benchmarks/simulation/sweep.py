"""Runs an experiment at some loads under some policies, each load with one bound for all.

Whoever wants to show how far it is gives a ``Stage``: it is entered for each bound and each
simulation, with its name and, where one is known, its length in simulated seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from benchmarks.simulation.alternatives import BOUND_NOT_FOUND, warnings
from benchmarks.simulation.baselines import BEST_THRESHOLD, POLICIES
from benchmarks.simulation.by_model import ModelCounts
from benchmarks.simulation.experiment import BadExperiment, Experiment, Prepared, prepare
from benchmarks.simulation.outcome import Outcome, outcome_of
from benchmarks.simulation.series import Series
from benchmarks.simulation.simulator import OnProgress, SpentTooMuch, simulate_pools
from benchmarks.simulation.thresholds import GRID, BuyAbove, Threshold
from scheduler.choose.bid_price_policy import Policy

TRIALS_MAX = 100

Stage: TypeAlias = Callable[[str, float | None], AbstractContextManager[OnProgress]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial is one simulation: what was chosen, what it came to, and how it went over time.

    ``grid`` is empty but for the best threshold: it is what each threshold that was tried spent,
    in USD, the best one first. ``notes`` say what the figures lack. ``models`` is what became of
    requests at each model.
    """

    experiment: Experiment
    outcome: Outcome
    series: Series
    grid: tuple[tuple[Threshold, float], ...] = ()
    notes: tuple[str, ...] = ()
    models: Mapping[str, ModelCounts] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        grid = [{"buys_above": str(each), "spend_usd": usd} for each, usd in self.grid]
        models = {name: counts.as_json() for name, counts in sorted(self.models.items())}
        return self.outcome.as_json() | {
            "experiment": self.experiment.as_json(),
            "warnings": [*warnings(self.experiment), *self.notes],
            **({"grid": grid} if grid else {}),
            **({"models": models} if self.experiment.pools else {}),
        }


def trial_name(trial: Trial) -> str:
    return _name(trial.experiment)


def threshold_in_words(trial: Trial) -> str | None:
    """Which threshold was the best, and of how many; None of another policy."""
    if not trial.grid:
        return None
    return (
        f"{trial_name(trial)} buys at once while {trial.grid[0][0]}: of {len(trial.grid)} "
        "thresholds, tried on these very requests, the one that spent least"
    )


def _name(experiment: Experiment) -> str:
    return f"{experiment.policy} at load {experiment.load:g}"


@contextmanager
def silent(name: str, total_s: float | None) -> Iterator[OnProgress]:
    yield lambda share: None


def sweep(
    experiment: Experiment,
    loads: Sequence[float] = (),
    policies: Sequence[str] = (),
    *,
    with_bound: bool = True,
    stage: Stage = silent,
) -> list[Trial]:
    """Runs the trials by load, then by policy; without any, those of the experiment. Raises
    BadExperiment."""
    cells = [
        [
            replace(experiment, load=load, policy=policy)
            for policy in policies or [experiment.policy]
        ]
        for load in loads or [experiment.load]
    ]
    tried = (_simulations(each.policy) for at_load in cells for each in at_load)
    if (count := sum(tried)) > TRIALS_MAX:
        raise BadExperiment(f"{count} simulations at once: at most {TRIALS_MAX}, leave some out")
    trials = []
    for at_load in cells:
        with stage(f"requests at load {at_load[0].load:g}", None):
            prepared = prepare(at_load[0])
        bound_usd = _bound_usd(prepared, stage) if with_bound else None
        notes = (BOUND_NOT_FOUND,) if with_bound and bound_usd is None else ()
        for each in at_load:
            settled = replace(prepared.experiment, policy=each.policy)
            trial = run(replace(prepared, experiment=settled), bound_usd, stage=stage)
            trials.append(replace(trial, notes=notes))
    return trials


def run(prepared: Prepared, bound_usd: float | None = None, *, stage: Stage = silent) -> Trial:
    """Plays the experiment's policy; of the best threshold, all of its grid."""
    name = _name(prepared.experiment)
    if prepared.experiment.policy == BEST_THRESHOLD:
        return _best_threshold(prepared, bound_usd, stage)
    return _run(prepared, POLICIES[prepared.experiment.policy](), name, bound_usd, stage)


def _run(
    prepared: Prepared, policy: Policy, name: str, bound_usd: float | None, stage: Stage
) -> Trial:
    experiment, workload = prepared.experiment, prepared.workload
    with stage(name, workload.duration_s) as on_progress:
        ran = simulate_pools(
            workload,
            prepared.pools,
            policy=policy,
            settings=experiment.settings,
            lengths=experiment.lengths,
            seed=experiment.seed,
            on_progress=on_progress,
        )
    return Trial(experiment, outcome_of(ran, bound_usd), ran.series, models=dict(ran.by_model))


def _best_threshold(prepared: Prepared, bound_usd: float | None, stage: Stage) -> Trial:
    tried = []
    for number, threshold in enumerate(GRID, 1):
        name = f"{_name(prepared.experiment)}, {number} of {len(GRID)}"
        tried.append((threshold, _run(prepared, BuyAbove(threshold), name, bound_usd, stage)))
    tried.sort(key=lambda each: each[1].outcome.spend_usd)  # stable: the first of equals
    best = tried[0][1]
    return replace(
        best,
        outcome=replace(best.outcome, policy=BEST_THRESHOLD),
        grid=tuple((threshold, trial.outcome.spend_usd) for threshold, trial in tried),
    )


def best_threshold(prepared: Prepared) -> tuple[Threshold, Outcome]:
    """The threshold that ``run`` finds, for less: whoever has spent more than the best so far is
    left there, for spend never shrinks. Limits that buy little come first."""
    experiment = prepared.experiment
    found: list[tuple[float, int, Threshold, Outcome]] = []
    for rank, threshold in reversed(list(enumerate(GRID))):
        try:
            ran = simulate_pools(
                prepared.workload,
                prepared.pools,
                policy=BuyAbove(threshold),
                settings=experiment.settings,
                lengths=experiment.lengths,
                seed=experiment.seed,
                spend_usd_max=min(each[0] for each in found) if found else None,
            )
        except SpentTooMuch:
            continue
        outcome = replace(outcome_of(ran), policy=BEST_THRESHOLD)
        found.append((outcome.spend_usd, rank, threshold, outcome))
    return min(found, key=lambda each: each[:2])[2:]  # of equals the first of the grid


def _simulations(policy: str) -> int:
    return len(GRID) if policy == BEST_THRESHOLD else 1


def _bound_usd(prepared: Prepared, stage: Stage) -> float | None:
    from benchmarks.simulation.clairvoyant_bound import (  # scipy is slow to import
        REQUESTS_MAX,
        pools_bound,
    )

    count = len(prepared.workload.requests)
    if count > REQUESTS_MAX:
        raise BadExperiment(
            f"the bound takes at most {REQUESTS_MAX} requests, these are {count}: "
            "take fewer, or leave the bound out"
        )
    with stage(f"bound at load {prepared.experiment.load:g}", None):
        return pools_bound(prepared.workload, prepared.pools).usd
