"""The page of some trials: one HTML file without script, that loads nothing from anywhere.

All of its text is escaped: names of files and offers come from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from benchmarks.simulation.experiment import Experiment
from benchmarks.simulation.figures import FIGURES, regret_in_words
from benchmarks.simulation.offers import SimOffer
from benchmarks.simulation.plots import (
    Plot,
    numbered,
    over_time,
    reasons,
    spend_bars,
    spend_by_load,
)
from benchmarks.simulation.sweep import Trial, trial_name
from models.money import PICO_PER_TOKEN_PER_USD_PER_MTOK

COLUMNS_MAX = 3  # trials side by side
OVER_TIME_MAX = 12  # plots over time: the first policy at each load

_CSS = """
:root { color-scheme: light dark; --page: #f5f6f8; --card: #ffffff; --text: #1b1f24;
  --soft: #59636e; --line: #d9dde2; --mark: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --card: #1e2329; --text: #e6e9ed;
  --soft: #a3adb8; --line: #363d46; --mark: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 74rem; background: var(--page);
  color: var(--text); font: 15px/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; }
p.lead { margin: .25rem 0 0; color: var(--soft); }
p.regret { margin: 1.25rem 0 0; padding: .75rem 1rem; border-left: 4px solid var(--mark);
  background: var(--card); }
figure { margin: 0 0 1.25rem; max-width: 62rem; padding: 1rem; background: #ffffff; color: #1b1f24;
  border: 1px solid var(--line); border-radius: 8px; }
figure h3 { margin: 0 0 .5rem; font-size: 1rem; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figcaption { margin-top: .5rem; color: #59636e; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
th:first-child, td.says, td.option { text-align: left; }
td.says, td.option { white-space: normal; }
td.says { min-width: 14rem; color: var(--soft); }
th { font-weight: 600; }
tr.heads th { white-space: normal; vertical-align: bottom; }
table.many { font-size: .85rem; }
table.many th, table.many td { padding: .4rem .5rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; color: var(--soft);
  font-size: .85rem; }
dt { font-weight: 600; }
dd { margin: 0; }
"""


def report(trials: Sequence[Trial], origin: Mapping[str, str]) -> str:
    """``origin`` says where it comes from: date, versions, machine."""
    if not trials:
        raise ValueError("a report needs at least one trial")
    body = "\n".join((_head(trials), _figures(trials), *_plots(trials), _choices(trials, origin)))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Baseload simulation</title>\n<style>{_CSS}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _head(trials: Sequence[Trial]) -> str:
    first = trials[0].experiment
    what = f"{first.arrivals} arrivals" if first.trace is None else first.trace.name
    loads = dict.fromkeys(f"{trial.experiment.load:g}" for trial in trials)
    lead = (
        f"{what} on {_count(first.replicas, 'replica')} of profile {trials[0].outcome.profile}, "
        f"at load {', '.join(loads)}; lengths {first.lengths}, seed {first.seed}."
    )
    words = f'\n<p class="regret">{escape(regret_in_words(trials[0].outcome))}</p>'
    return (
        f'<h1>Baseload simulation</h1>\n<p class="lead">{escape(lead)}</p>'
        f"{words if len(trials) == 1 else ''}"
    )


def _figures(trials: Sequence[Trial]) -> str:
    return _few_figures(trials) if len(trials) <= COLUMNS_MAX else _many_figures(trials)


def _few_figures(trials: Sequence[Trial]) -> str:
    """A column for each trial, and one that says what the figure is."""
    rows = [_row("", [trial_name(trial) for trial in trials], "th", "heads")]
    for figure in FIGURES:
        row = _row(figure.label, [figure.of(trial.outcome) for trial in trials])
        rows.append(row.replace("</tr>", f'<td class="says">{escape(figure.says)}</td></tr>'))
    rows[0] = rows[0].replace("</tr>", "<td></td></tr>")
    return _section("Figures", rows)


def _many_figures(trials: Sequence[Trial]) -> str:
    """A row for each trial, and what the figures are underneath."""
    rows = [_row("", [figure.label for figure in FIGURES], "th", "heads")]
    for trial in trials:
        rows.append(_row(trial_name(trial), [figure.of(trial.outcome) for figure in FIGURES]))
    meanings = "\n".join(
        f"<dt>{escape(figure.label)}</dt><dd>{escape(figure.says)}</dd>" for figure in FIGURES
    )
    return f"{_section('Figures', rows, 'many')}\n<dl>\n{meanings}\n</dl>"


def _row(head: str, cells: Sequence[str], tag: str = "td", style: str = "") -> str:
    inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
    return f'<tr class="{style}"><th>{escape(head)}</th>{inner}</tr>'


def _plots(trials: Sequence[Trial]) -> Iterator[str]:
    yield "<h2>Plots</h2>"
    loads = {trial.experiment.load for trial in trials}
    first = [each for each in trials if each.experiment.policy == trials[0].experiment.policy]
    plots = [spend_by_load(trials) if len(loads) > 1 else spend_bars(trials), reasons(trials)]
    plots += [over_time(trial) for trial in first[:OVER_TIME_MAX]]
    for number, plot in enumerate(plots):
        yield _card(plot, number)


def _card(plot: Plot, number: int) -> str:
    title, caption = escape(plot.title), escape(plot.caption)
    svg = numbered(plot.svg, number).replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    return f"<figure>\n<h3>{title}</h3>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>"


def _choices(trials: Sequence[Trial], origin: Mapping[str, str]) -> str:
    chosen = [_chosen(trial.experiment) for trial in trials]
    rows = []
    for name in chosen[0]:
        values = dict.fromkeys(each[name] for each in chosen)
        rows.append((name, ", ".join(values)))
    rows += origin.items()
    return _section(
        "What was run",
        [f'<tr><th>{escape(n)}</th><td class="option">{escape(v)}</td></tr>' for n, v in rows],
    )


def _chosen(experiment: Experiment) -> dict[str, str]:
    """Every choice that had a part in it, as text."""
    texts = {
        name.replace("_", " "): f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in experiment.as_json().items()
        if value is not None
    }
    return texts | {"offers": "; ".join(_offer(offer) for offer in experiment.offers)}


def _offer(offer: SimOffer) -> str:
    price = offer.price
    prices = (price.input_pico, price.output_pico)
    in_usd, out_usd = (f"{pico / PICO_PER_TOKEN_PER_USD_PER_MTOK:g}" for pico in prices)
    return (
        f"{offer.offer_id}: {in_usd} in, {out_usd} out (USD per M tokens), "
        f"first token after {offer.ttft_ms} ms, {offer.output_tok_s:g} tokens/s"
    )


def _section(title: str, rows: Sequence[str], style: str = "") -> str:
    table = f'<table class="{style}">\n' + "\n".join(rows) + "\n</table>"
    return f'<h2>{escape(title)}</h2>\n<div class="wide">{table}</div>'


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
