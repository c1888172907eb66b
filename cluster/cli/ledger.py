"""`baseload ledger`: what was used, what it cost, and whether the books agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from pydantic import BaseModel
from rich.table import Table

from cluster.cli import common_options
from cluster.cli.ledger_show_lines import story_lines
from cluster.cli.terminal import note, page, visible
from cluster.cli.typer_options import argument, option, takes
from cluster.state_folder import state_folder
from models.money import aligned_usd, format_usd
from runtime.ledger.audit import audit
from runtime.ledger.request_history import story
from runtime.ledger.usage_report import RequestCost, Sums, report, requests

EXIT_NOT_OK = 1

ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: reports and proof.")
PAGE_COLUMNS = 160  # where stdout is no terminal
WHERE_ELSE = (
    "`baseload ledger requests` lists those that it has. A request that was refused for another "
    "reason than the law, or never read, has no entry: look for its id in the access log."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFile:
    ledger: str | None = option(
        "The ledger file (default: this state folder's).", None, metavar="PATH"
    )

    @property
    def url(self) -> str | Path:
        return self.ledger or state_folder() / "ledger.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOptions(LedgerFile):
    as_json: bool = common_options.json_output()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsOptions(LedgerFile):
    tenant: str | None = option("Only this tenant's.", None)
    since_ms: int = option("Unix milliseconds.", 0)
    as_json: bool = common_options.json_output()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions(LedgerFile):
    request_id: str = argument("The x-request-id of the answer, as in the log.")
    as_json: bool = common_options.json_output()


@ledger_app.command("report")
@takes(LedgerOptions)
def report_command(options: LedgerOptions) -> None:
    """Requests, tokens and USD per tenant, feature, model and target.

    Example: baseload ledger report --json
    """
    found = report(options.url)
    if options.as_json:
        _print_json(found)
        return
    table = Table(box=None)
    for name in ("tenant", "feature", "model", "target"):
        table.add_column(name, overflow="fold")
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    *costs, total_usd = aligned_usd([each.cost_nano_usd for each in (*found.lines, found.total)])
    for line, usd in zip(found.lines, costs, strict=True):
        table.add_row(line.tenant, line.feature, line.model, line.target, *_numbers(line, usd))
    table.add_row("total", "", "", "", *_numbers(found.total, total_usd), style="bold")
    out = page(PAGE_COLUMNS)
    out.print(table)
    for left_out in found.not_included:
        out.print(f"not included: {left_out}")


@ledger_app.command("requests")
@takes(RequestsOptions)
def requests_command(options: RequestsOptions) -> None:
    """One row per request: time (UTC), tenant, target, outcome, tokens and its exact cost.

    Example: baseload ledger requests --tenant local --json
    """
    rows = requests(options.url, since_ms=options.since_ms, tenant=options.tenant)
    if options.as_json:
        print(json.dumps([row.model_dump(mode="json") for row in rows], indent=2))
        return
    for line in _request_lines(rows):
        print(line)


@ledger_app.command("show")
@takes(ShowOptions)
def show_command(options: ShowOptions) -> None:
    """The story of one request: who asked, what it was taken for, who might have it, where it
    went, what it cost. Exit status 1 where the ledger has no such request.

    Example: baseload ledger show req-0123abcd

    Example: baseload ledger show req-0123abcd --json
    """
    found = story(options.url, options.request_id)
    if found is None:
        note.print(f"baseload: {options.url} has no request {options.request_id}", style="red")
        note.print(WHERE_ELSE)
        raise typer.Exit(EXIT_NOT_OK)
    if options.as_json:
        _print_json(found)
        return
    for line in story_lines(found):
        print(visible(line))


@ledger_app.command("audit")
@takes(LedgerOptions)
def audit_command(options: LedgerOptions) -> None:
    """Re-derive every sum and the hash chain from the entries. Exit status 1 when not ok.

    Example: baseload ledger audit --json
    """
    found = audit(options.url)
    if options.as_json:
        _print_json(found)
    else:
        verdict = "ok" if found.ok else "NOT OK"
        print(f"{verdict}: {found.rows} entries, {found.open_reserves} open, head {found.head}")
        if found.doubt_nano_usd:
            doubt_usd = format_usd(found.doubt_nano_usd)
            print(
                f"In doubt: up to {doubt_usd} USD more, for {found.expired} attempts whose gateway "
                f"died and {found.estimated} purchases whose vendor told no tokens"
            )
        for problem in found.problems:
            print(visible(f"  {problem}"))
    if not found.ok:
        raise typer.Exit(EXIT_NOT_OK)


NUMBERS = ("requests", "tokens in", "tokens out", "USD")


REQUEST_COLUMNS = ("time", "request", "tenant", "target", "outcome", "tokens in", "out", "USD")
TEXT_COLUMNS = 5  # the rest are numbers


def _numbers(sums: Sums, usd: str) -> tuple[str, ...]:
    counts = (sums.requests, sums.prompt_tokens, sums.completion_tokens)
    return (*(f"{count:,}" for count in counts), usd)


def _request_lines(rows: Sequence[RequestCost]) -> Iterator[str]:
    """Plain lines, whole however wide the terminal is: they are searched and cut by programs."""
    costs = aligned_usd([row.cost_nano_usd for row in rows])
    table = [REQUEST_COLUMNS, *map(_cells, rows, costs)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        placed = [
            cell.ljust(width) if number < TEXT_COLUMNS else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield "  ".join(placed)


def _cells(row: RequestCost, usd: str) -> tuple[str, ...]:
    at = datetime.fromtimestamp(row.reserved_at_ms / 1_000, UTC)
    names = (row.request_id, row.tenant, row.target, row.outcome or "open")
    counts = (f"{row.prompt_tokens:,}", f"{row.completion_tokens:,}")
    return (f"{at:%Y-%m-%d %H:%M:%S}", *map(visible, names), *counts, usd)


def _print_json(model: BaseModel) -> None:
    print(model.model_dump_json(indent=2))
