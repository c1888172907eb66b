"""What `baseload simulate` shows: how far it is, on stderr, and what came of it, on stdout."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from benchmarks.simulation.alternatives import alternatives_in_words, warnings
from benchmarks.simulation.experiment import HORIZON_S_MIN
from benchmarks.simulation.figures import FIGURES, REGRET_MEANS, regret_in_words, usd
from benchmarks.simulation.offers import offer_in_words
from benchmarks.simulation.pool_choices import rule_in_words
from benchmarks.simulation.simulator import OnProgress
from benchmarks.simulation.sweep import Stage, Trial, threshold_in_words, trial_name
from cluster.cli.terminal import note, page

COMPARED = (
    *("spend_usd", "bound_usd", "buy_all_usd", "regret", "spend_over_bound"),
    *("slo_attainment", "spilled_share"),
)


@contextmanager
def stages() -> Iterator[Stage]:
    """A bar for each stage on a terminal; a line for each, once it is done, elsewhere."""
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[done]}", markup=False),
        _Speed(),
        TimeElapsedColumn(),
        console=note,
        refresh_per_second=4,  # drawing takes time from the scheduler that is measured
        disable=not note.is_terminal,
    )

    @contextmanager
    def stage(name: str, total_s: float | None) -> Iterator[OnProgress]:
        started_s = time.monotonic()
        bar = bars.add_task(name, total=total_s, done="")

        def on_progress(share: float) -> None:
            bars.update(bar, completed=share * (total_s or 1.0), done=f"{share:4.0%}")

        yield on_progress
        bars.update(bar, total=total_s or 1.0)
        on_progress(1.0)
        if not note.is_terminal:
            note.print(f"  {name}: {time.monotonic() - started_s:.1f} s")

    with bars:
        yield stage


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        is_known = task.speed is not None and task.total is not None and task.total > 1
        return Text(f"{task.speed:,.0f} simulated s per s" if is_known else "")


def show(trials: Sequence[Trial], *, is_sweep: bool, as_json: bool) -> None:
    for trial in {trial.experiment.load: trial for trial in trials}.values():
        _warn_if_short(trial)
    notes = dict.fromkeys(note_of for trial in trials for note_of in trial.notes)
    for warning in (*warnings(trials[0].experiment), *notes):
        note.print(f"warning: {warning}")
    if as_json:
        documents = [trial.as_json() for trial in trials]
        print(json.dumps(documents if is_sweep else documents[0], indent=2))
        return
    out, experiment = page(), trials[0].experiment
    if len(trials) == 1:
        out.print(_one(trials[0]))
        out.print(regret_in_words(trials[0].outcome))
    else:
        out.print(_several(trials))
        out.print(REGRET_MEANS)
    if experiment.pools:
        out.print(_models(trials))
        for rule in experiment.rules:
            out.print(f"{rule_in_words(rule, experiment.rules)}.")
    for words in filter(None, map(threshold_in_words, trials)):
        out.print(f"{words}.")
    out.print(f"Alternatives: {alternatives_in_words(experiment)}.")
    for offer in experiment.offers:
        out.print(f"  {offer_in_words(offer)}")


def _warn_if_short(trial: Trial) -> None:
    if trial.outcome.duration_s < HORIZON_S_MIN:
        option = "--requests" if trial.experiment.trace is None else "--laps"
        note.print(
            f"load {trial.experiment.load:g} lasts {trial.outcome.duration_s:.0f} s: under "
            f"{HORIZON_S_MIN:g} s, filling and draining the pool tell; ask for more {option}"
        )


def _one(trial: Trial) -> Table:
    table = Table("figure", "what it is", box=None)
    table.add_column(trial_name(trial), justify="right")
    for figure in FIGURES:
        table.add_row(figure.label, figure.says, figure.of(trial.outcome))
    return table


def _several(trials: Sequence[Trial]) -> Table:
    table = Table("load", "policy", box=None)
    figures = [figure for figure in FIGURES if figure.key in COMPARED]
    for figure in figures:
        table.add_column(figure.label, justify="right")
    for trial in trials:
        experiment = trial.experiment
        values = (figure.of(trial.outcome) for figure in figures)
        table.add_row(f"{experiment.load:g}", experiment.policy, *values)
    return table


def _models(trials: Sequence[Trial]) -> Table:
    """What became of requests at each model. Counts are of answers, but for those asked."""
    table = Table("load", "policy", "model", box=None)
    for column in (
        "asked first",
        "by its pool",
        "as a substitute",
        "bought",
        "missed",
        "paid, USD",
    ):
        table.add_column(column, justify="right")
    for trial in trials:
        experiment = trial.experiment
        for model, found in sorted(trial.models.items()):
            counts = found.asked, found.answered, found.substituted, found.bought, found.missed
            cells = (f"{experiment.load:g}", experiment.policy, model)
            table.add_row(*cells, *map("{:,}".format, counts), usd(found.paid_usd))
    return table
