"""`python -m benchmarks.peers`: Baseload beside its peers, in one run.

It starts and stops all it needs, on loopback and free ports. Everything shares one machine, the
client included, so ratios mean more than absolute numbers.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.peers.baseload_alone import BASELOAD_ALONE
from benchmarks.peers.overload import BUDGET_MS, TIMES, Outcome
from benchmarks.peers.roster import PEERS, chosen
from benchmarks.peers.run import Effort, PeerComparison
from benchmarks.peers.side_by_side import ANSWER_TOKENS, DIRECT
from benchmarks.peers.tables import overload_table, rows_table, verdict_table
from benchmarks.peers.verdicts import ENGINES, SCRIPTED, judge
from benchmarks.rig.common import ROOT
from benchmarks.rig.provenance import command_line, provenance, rounded_floats
from benchmarks.rig.terminal import EXIT_INCOMPLETE, keep, note, table_console

RESULT = Path(__file__).parent.parent / "results" / "peers.json"
CACHE = ROOT / ".baseload" / "peers"
FULL = Effort(rounds=2, rounds_judged=12, window_s=3.0, overload_s=60.0)
QUICK = Effort(rounds=1, rounds_judged=1, window_s=1.5, overload_s=10.0)
PARTS = {
    "scripted": PeerComparison.run_scripted,
    "engines": PeerComparison.run_engines,
    "own-engines": PeerComparison.run_own_engines,
    "overload-baseload": PeerComparison.run_overload_of_baseload,
    "overload-peers": PeerComparison.run_overload_of_peers,
}
PAGE_COLUMNS = 130  # of the tables in a file
TITLES = {DIRECT: "direct", **{peer.name: peer.title for peer in (BASELOAD_ALONE, *PEERS)}}


def document(run: PeerComparison, effort: Effort, origin: dict[str, object]) -> dict[str, Any]:
    through, scripted = run.rows(run.through), run.rows(run.scripted)
    verdicts = judge(run.through, run.scripted, run.outcomes)
    told = {
        "verdicts": [dataclasses.asdict(each) for each in verdicts],
        "skipped": run.skipped,
        "failures": run.failures,
        "command": command_line("benchmarks.peers"),
        **origin,
        "peers": {
            peer.name: {
                "title": peer.title,
                "version": run.versions[peer.name],
                "configured": peer.configured,
            }
            for peer in PEERS
            if peer.name in run.versions
        },
        "method": {
            "answer_tokens": ANSWER_TOKENS,
            "overload_times_capacity": TIMES,
            "overload_budget_ms": BUDGET_MS,
            "effort": dataclasses.asdict(effort),
        },
        "engines": [dataclasses.asdict(each) for each in through],
        "scripted": [dataclasses.asdict(each) for each in scripted],
        "overload": [_outcome(each) for each in run.outcomes],
    }
    rounded: dict[str, Any] = rounded_floats(told)
    return rounded


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return dataclasses.asdict(outcome) | {
        "attainment": outcome.attainment,
        "in_time_per_usd_spent": outcome.in_time_per_usd_spent,
        "in_time_per_usd": outcome.in_time_per_usd,
    }


def show(run: PeerComparison) -> None:
    out = table_console(PAGE_COLUMNS)
    through, scripted = run.rows(run.through), run.rows(run.scripted)
    if through:
        out.print(rows_table(f"Through each gateway to {ENGINES}", through, TITLES))
    if scripted:
        out.print(rows_table(f"Through each gateway to a {SCRIPTED}", scripted, TITLES))
    if run.outcomes:
        out.print(overload_table(run.outcomes, TITLES))
    out.print(verdict_table(judge(run.through, run.scripted, run.outcomes)))
    for name, why in run.skipped.items():
        out.print(f"skipped {TITLES[name]}: {why}", markup=False)
    for line in run.failures:
        out.print(f"failed: {line}", markup=False)


def main(
    quick: Annotated[bool, typer.Option(help="A short run, for a look; nothing is kept.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A peer; several times for several. Default: all.")
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}. Default: all.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Holds the peers' environments.")] = CACHE,
    out: Annotated[
        Path | None, typer.Option(help=f"The result file (default: {RESULT.relative_to(ROOT)}).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Measure Baseload beside other gateways. Takes 45 minutes, the first time more to install.

    Example: python -m benchmarks.peers --quick --only litellm
    """
    try:
        peers = chosen(only or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from None
    parts = part or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        raise typer.BadParameter(f"no part {', '.join(sorted(unknown))}", param_hint="--part")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started_s, origin = time.monotonic(), provenance()
    effort = QUICK if quick else FULL
    file = out if out is not None else None if quick else RESULT
    folder = Path(tempfile.mkdtemp(prefix="bl-peers-"))
    run = PeerComparison(peers, effort, cache.absolute(), lambda line: note.print(line))
    try:
        run.prepare()
        for number, (name, work) in enumerate(PARTS.items()):
            if name in parts:
                run.part(name, partial(work, run), folder / str(number))
    finally:
        if file is not None:
            keep(document(run, effort, origin), file)
    if run.failures:
        note.print(f"what was left behind is in {folder}")
    else:
        shutil.rmtree(folder)
    if as_json:
        print(json.dumps(document(run, effort, origin), indent=1))
    else:
        show(run)
    note.print(f"took {time.monotonic() - started_s:.0f} s")
    if run.failures:
        raise SystemExit(EXIT_INCOMPLETE)


if __name__ == "__main__":
    typer.run(main)
