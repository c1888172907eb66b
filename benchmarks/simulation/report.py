"""The page of some trials: figures, plots, and what was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.pages.drawing import Plot, labelled
from benchmarks.pages.templates import environment
from benchmarks.simulation.alternatives import alternatives_in_words, warnings
from benchmarks.simulation.experiment import Experiment
from benchmarks.simulation.figures import FIGURES, regret_in_words
from benchmarks.simulation.offers import offer_in_words
from benchmarks.simulation.plots import over_time, reasons, spend_bars, spend_by_load
from benchmarks.simulation.pool_choices import pool_in_words, rule_in_words
from benchmarks.simulation.sweep import Trial, threshold_in_words, trial_name

COLUMNS_MAX = 3  # trials side by side
OVER_TIME_MAX = 12  # plots over time: the first policy at each load


_TEMPLATES = environment("benchmarks.simulation", is_html=True)


def report(trials: Sequence[Trial], origin: Mapping[str, str]) -> str:
    """``origin`` says where it comes from: date, versions, machine."""
    if not trials:
        raise ValueError("a report needs at least one trial")
    return _TEMPLATES.get_template("simulation.html.j2").render(
        title="Baseload simulation",
        trials=trials,
        first=trials[0].experiment,
        loads=dict.fromkeys(f"{trial.experiment.load:g}" for trial in trials),
        verdict=_verdict(trials),
        figures=FIGURES,
        trial_name=trial_name,
        columns_max=COLUMNS_MAX,
        drawn=labelled(_drawn(trials)),
        chosen=_choices(trials) | dict(origin),
    )


def _verdict(trials: Sequence[Trial]) -> str | None:
    says = [regret_in_words(trials[0].outcome)] if len(trials) == 1 else []
    says += [f"{words}." for trial in trials if (words := threshold_in_words(trial))]
    says += [f"Warning: {warning}." for warning in warnings(trials[0].experiment)]
    return " ".join(says) or None


def _drawn(trials: Sequence[Trial]) -> list[Plot]:
    loads = {trial.experiment.load for trial in trials}
    first = [each for each in trials if each.experiment.policy == trials[0].experiment.policy]
    drawn = [spend_by_load(trials) if len(loads) > 1 else spend_bars(trials), reasons(trials)]
    return [*drawn, *map(over_time, first[:OVER_TIME_MAX])]


def _choices(trials: Sequence[Trial]) -> dict[str, str]:
    chosen = [_chosen(trial.experiment) for trial in trials]
    return {name: ", ".join(dict.fromkeys(each[name] for each in chosen)) for name in chosen[0]}


def _chosen(experiment: Experiment) -> dict[str, str]:
    """Every choice that had a part in it, as text."""
    texts = {
        name.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in experiment.as_json().items()
        if value is not None
    }
    rules = experiment.rules
    if experiment.pools:
        texts["pools"] = "; ".join(map(pool_in_words, experiment.pools))
        texts["rules"] = "; ".join(rule_in_words(each, rules) for each in rules)
    return texts | {
        "alternatives": alternatives_in_words(experiment),
        "offers": "; ".join(map(offer_in_words, experiment.offers)),
    }
