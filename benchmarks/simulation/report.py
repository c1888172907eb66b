"""The page of some trials: figures, plots, and what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from benchmarks.pages.page import head, meanings, page, pairs, plots, row, section
from benchmarks.simulation.alternatives import alternatives_in_words, warnings
from benchmarks.simulation.experiment import Experiment
from benchmarks.simulation.figures import FIGURES, regret_in_words
from benchmarks.simulation.offers import offer_in_words
from benchmarks.simulation.plots import over_time, reasons, spend_bars, spend_by_load
from benchmarks.simulation.sweep import Trial, threshold_in_words, trial_name

COLUMNS_MAX = 3  # trials side by side
OVER_TIME_MAX = 12  # plots over time: the first policy at each load


def report(trials: Sequence[Trial], origin: Mapping[str, str]) -> str:
    """``origin`` says where it comes from: date, versions, machine."""
    if not trials:
        raise ValueError("a report needs at least one trial")
    parts = (_head(trials), _figures(trials), _plots(trials), _choices(trials, origin))
    return page("Baseload simulation", parts)


def _head(trials: Sequence[Trial]) -> Markup:
    first = trials[0].experiment
    what = f"{first.arrivals} arrivals" if first.trace is None else first.trace.name
    loads = dict.fromkeys(f"{trial.experiment.load:g}" for trial in trials)
    lead = (
        f"{what} on {_count(first.replicas, 'replica')} of profile {trials[0].outcome.profile}, "
        f"at load {', '.join(loads)}; lengths {first.lengths}, seed {first.seed}."
    )
    says = [regret_in_words(trials[0].outcome)] if len(trials) == 1 else []
    says += [f"{words}." for trial in trials if (words := threshold_in_words(trial))]
    says += [f"Warning: {warning}." for warning in warnings(first)]
    return head("Baseload simulation", lead, " ".join(says) or None)


def _figures(trials: Sequence[Trial]) -> Markup:
    return _few_figures(trials) if len(trials) <= COLUMNS_MAX else _many_figures(trials)


def _few_figures(trials: Sequence[Trial]) -> Markup:
    """A column for each trial, and one that says what the figure is."""
    rows = [row("", [trial_name(trial) for trial in trials], "th", "heads", "")]
    for figure in FIGURES:
        cells = [figure.of(trial.outcome) for trial in trials]
        rows.append(row(figure.label, cells, says=figure.says))
    return section("Figures", rows)


def _many_figures(trials: Sequence[Trial]) -> Markup:
    """A row for each trial, and what the figures are underneath."""
    rows = [row("", [figure.label for figure in FIGURES], "th", "heads")]
    for trial in trials:
        rows.append(row(trial_name(trial), [figure.of(trial.outcome) for figure in FIGURES]))
    return section("Figures", rows, "many") + Markup("\n") + meanings(FIGURES)


def _plots(trials: Sequence[Trial]) -> Markup:
    loads = {trial.experiment.load for trial in trials}
    first = [each for each in trials if each.experiment.policy == trials[0].experiment.policy]
    drawn = [spend_by_load(trials) if len(loads) > 1 else spend_bars(trials), reasons(trials)]
    return plots([*drawn, *(over_time(trial) for trial in first[:OVER_TIME_MAX])])


def _choices(trials: Sequence[Trial], origin: Mapping[str, str]) -> Markup:
    chosen = [_chosen(trial.experiment) for trial in trials]
    rows = {name: ", ".join(dict.fromkeys(each[name] for each in chosen)) for name in chosen[0]}
    return pairs("What was run", rows | dict(origin))


def _chosen(experiment: Experiment) -> dict[str, str]:
    """Every choice that had a part in it, as text."""
    texts = {
        name.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in experiment.as_json().items()
        if value is not None
    }
    return texts | {
        "alternatives": alternatives_in_words(experiment),
        "offers": "; ".join(map(offer_in_words, experiment.offers)),
    }


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
