"""How far the bid price stays from a clairvoyant, on the public traces: ``make bench-scheduler``.

Each cell is one trace at one load, with two kinds of alternatives: one of three assumed offers,
drawn for each request, and one price that a vendor had. Of each kind there is a bound, and beside
the bid price stand first come with timeout, density-first and the best threshold in hindsight. The
three offers are also played with lengths that are told, and when a share of the requests must not
be bought. A bound that the solver did not find is None, never 0.

What is asked of a cell stands in ``_lines``; a line that does not hold is printed as such and makes
the command fail, after everything was written. Computing times are of processes side by side.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from benchmarks.simulation.outcome import Outcome, against
from benchmarks.studies.optimality_gap_file import write
from benchmarks.studies.optimality_gap_tasks import (
    BOUND,
    ONE_PRICE,
    THRESHOLD,
    TRACES,
    Done,
    Part,
    Priced,
    do_all,
    parts_of,
)

LOADS = (0.9, 1.1, 1.5, 2.0, 3.0)
JOBS_MAX = 2  # more would wait for each other's memory, and tell in the computing times
RESULT = Path(__file__).parents[1] / "results" / "scheduler.json"
EXAMPLE = (
    "example: python -m benchmarks.studies.optimality_gap ../shared/data "
    "--traces mooncake --loads 1.5"
)
NO_BOUND = "no bound"
TABLE_WIDTH = 110  # of characters; narrower, and the figures would be cut


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind of alternatives: a bound, and what each policy came to, by its name.

    ``bound_usd`` is None where the solver gave none; ``rule`` says which threshold was the best.
    """

    bound_usd: float | None
    bound_s: float
    outcomes: Mapping[str, Outcome]
    rule: str = ""

    def as_json(self) -> dict[str, object]:
        named: dict[str, object] = {}
        for name, outcome in self.outcomes.items():
            rule = {"buys_above": self.rule} if name == THRESHOLD else {}
            named[name] = _summary(outcome) | rule
        return {"bound_usd": self.bound_usd, "bound_s": round(self.bound_s, 1)} | named


@dataclass(frozen=True, slots=True)
class Cell:
    trace: str
    load: float
    laps: int
    requests: int
    duration_s: float
    three_offers: Compared
    one_price: Compared | None = None

    def misses(self) -> list[str]:
        """The lines that do not hold in this cell."""
        return [line for line, holds in _lines(self) if not holds]

    def as_json(self) -> dict[str, object]:
        document: dict[str, object] = {
            "trace": self.trace,
            "load": self.load,
            "laps": self.laps,
            "requests": self.requests,
            "duration_s": round(self.duration_s, 1),
            "misses": self.misses(),
        }
        document |= self.three_offers.as_json()
        if self.one_price is not None:
            document["one_price"] = {"offer": ONE_PRICE, **self.one_price.as_json()}
        return document


def _lines(cell: Cell) -> list[tuple[str, bool]]:
    found = cell.three_offers
    learned, told = found.outcomes["learned"], found.outcomes["told"]
    lines = [
        ("SLO attainment >= 0.99, learned", _missed(learned) <= 0.01),
        ("SLO attainment >= 0.99, told", _missed(told) <= 0.01),
        ("no pinned request left", found.outcomes["pinned"].pinned_bought == 0),
        ("a bound was found", found.bound_usd is not None),
    ]
    if cell.one_price is not None:
        lines.append(("a bound was found, one price", cell.one_price.bound_usd is not None))
    if cell.load < 1:
        share = learned.spend_usd / learned.buy_all_usd
        return [*lines, ("spend <= 1 % of buying everything", share <= 0.01)]
    if found.bound_usd is not None:
        lines += [
            ("regret <= 0.10 learned", learned.regret is not None and learned.regret <= 0.10),
            ("regret <= 0.05 told", told.regret is not None and told.regret <= 0.05),
        ]
    if cell.load >= 1.5:
        is_half = learned.spend_usd <= 0.5 * found.outcomes["first_come"].spend_usd
        lines.append(("spend <= half of first come", is_half))
    return lines


def _missed(outcome: Outcome) -> float:
    return 1 - (outcome.slo_attainment or 0.0)


def _summary(outcome: Outcome) -> dict[str, object]:
    keys = (
        "spend_usd buy_all_usd regret spend_over_bound slo_attainment local_utilization "
        "spilled_share held_p99_ms refused preemptions pinned_bought cpu_us_per_decision"
    )
    return {key: value for key, value in outcome.as_json().items() if key in keys.split()}


def cell_of(parts: Sequence[Done]) -> Cell:
    """The cell that all its parts make, in whatever order they were done."""
    first = next(done for done in parts if done.part.priced == "three-offers")
    return Cell(
        trace=first.part.trace,
        load=first.part.load,
        laps=first.laps,
        requests=first.requests,
        duration_s=first.duration_s,
        three_offers=_compared(parts, "three-offers"),
        one_price=_compared(parts, "one-price"),
    )


def _compared(parts: Sequence[Done], priced: Priced) -> Compared:
    named = {done.part.name: done for done in parts if done.part.priced == priced}
    bound = named.pop(BOUND)
    outcomes = {
        # The bound is of requests that may all be bought.
        name: against(done.outcome, None if name == "pinned" else bound.bound_usd)
        for name, done in sorted(named.items())
        if done.outcome is not None
    }
    return Compared(bound.bound_usd, bound.seconds, outcomes, named[THRESHOLD].rule)


def table(cells: Sequence[Cell]) -> Table:
    shown = Table(
        title="Spend / bound, and regret = (spend - bound) / (buying everything - bound)", box=None
    )
    heads = ["trace", "load", "offers", "bound USD", "bid price", "told", "density", "threshold"]
    heads += ["first come", "regret", "told", "in time"]
    for column in heads:
        shown.add_column(column, justify="left" if column in ("trace", "offers") else "right")
    for cell in cells:
        shown.add_row(cell.trace, f"{cell.load:g}", "three", *_row(cell.three_offers))
        if cell.one_price is not None:
            shown.add_row("", "", "one", *_row(cell.one_price))
    return shown


def _row(found: Compared) -> list[str]:
    bid_price = found.outcomes.get("learned") or found.outcomes.get("bid_price")
    told = found.outcomes.get("told")
    others = (found.outcomes.get(name) for name in ("density_first", THRESHOLD, "first_come"))
    return [
        NO_BOUND if found.bound_usd is None else f"{found.bound_usd:.4f}",
        *(
            _number(each.spend_over_bound if each else None, ".2f")
            for each in (bid_price, told, *others)
        ),
        *(_number(each.regret if each else None, ".4f") for each in (bid_price, told)),
        _number(min(1 - _missed(each) for each in (bid_price, told) if each), ".4f"),
    ]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _options(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the trace files are")
    parser.add_argument("--traces", nargs="+", choices=list(TRACES), default=list(TRACES))
    parser.add_argument("--loads", nargs="+", type=float, default=list(LOADS))
    says = "result file; cells that are not measured now stay in it"
    parser.add_argument("--out", type=Path, default=RESULT, help=says)
    jobs = min(JOBS_MAX, os.cpu_count() or 1)
    parser.add_argument("--jobs", type=int, default=jobs, help=f"processes; default: {jobs}")
    options = parser.parse_args(argv)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    return options


class _Course:
    """Says what was done, on a line of its own, and about how long the rest takes."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._console = Console(stderr=True, soft_wrap=True)
        self._began = perf_counter()
        self._count, self._done = len(parts), 0
        self._left = self._total = sum(part.weight for part in parts)

    def on(self, done: Done) -> None:
        self._done += 1
        self._left -= done.part.weight
        elapsed_s = perf_counter() - self._began
        left_s = elapsed_s * self._left / (self._total - self._left)
        says = f", {NO_BOUND}" if done.part.name == BOUND and done.bound_usd is None else ""
        self._console.print(
            f"  {self._done} of {self._count}: {done.part}{says}, {done.seconds:.0f} s; "
            f"about {left_s / 60:.0f} min left",
            highlight=False,
        )


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    missing = [TRACES[name][0] for name in options.traces]
    missing = [name for name in missing if not (options.folder / name).is_file()]
    if missing:
        print(f"not in {options.folder}: {', '.join(missing)}: nothing was run", file=sys.stderr)
        return 2
    pairs = ((trace, load) for trace in options.traces for load in options.loads)
    keys = list(dict.fromkeys(pairs))
    parts = [part for key in keys for part in parts_of(options.folder, *key)]
    course, cells = _Course(parts), {}
    found: dict[tuple[str, float], list[Done]] = {key: [] for key in keys}
    for done in do_all(parts, options.jobs):
        course.on(done)
        key = done.part.trace, done.part.load
        found[key].append(done)
        if len(found[key]) == len(parts_of(options.folder, *key)):
            cells[key] = cell_of(found[key])
            write(options.out, [each.as_json() for each in cells.values()], options.jobs)
    done_cells = [cells[key] for key in keys]
    console = Console(stderr=True, soft_wrap=True)
    Console(stderr=True, width=TABLE_WIDTH).print(table(done_cells))
    misses = [
        f"{cell.trace} at {cell.load:g} misses: {m}" for cell in done_cells for m in cell.misses()
    ]
    for miss in misses:
        console.print(miss, highlight=False)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
