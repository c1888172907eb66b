"""What `baseload breakeven` shows on stdout, and the pages it keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.economics.anchors import Anchor
from benchmarks.economics.claims import Finding
from benchmarks.economics.format_figures import figure, monthly_usd, percent
from benchmarks.economics.sensitivity import band, utilization_ends
from benchmarks.economics.study import Answer, Study, hybrid_in_words, in_words, question_in_words
from benchmarks.economics.study_json import document
from cluster.cli.report_file import origin, write_report
from cluster.cli.terminal import note, page

NONE = "–"


def show_study(study: Study, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(document(study), indent=2))
        return
    out = page()
    out.print(question_in_words(study.question))
    out.print(_answers(study))
    for answer in study.answers:
        out.print(f"{in_words(study.question, answer)} {hybrid_in_words(answer)}")
    out.print(_tornado(study.answers[0]))


def _answers(study: Study) -> Table:
    table = Table("API", box=None)
    for name in ("U*", "band", "M out/month", "all API", "all local", "hybrid", "cards"):
        table.add_column(name, justify="right")
    for answer in study.answers:
        found = answer.break_even
        low, high = band(answer.bars, utilization_ends)
        bills = (monthly_usd(bill) for bill in (answer.bought, answer.local, answer.hybrid))
        table.add_row(
            answer.price.price_id,
            percent(found.utilization),
            f"{100 * low:.0f} to {100 * high:.0f} %",
            NONE if found.mtok_per_month is None else f"{found.mtok_per_month:,.0f}",
            *bills,
            str(answer.hybrid.cards),
        )
    return table


def _tornado(answer: Answer) -> Table:
    """The widest first."""
    table = Table(f"U* against {answer.price.price_id} when", box=None)
    for name in ("goes from", "to", "U* from", "to"):
        table.add_column(name, justify="right")
    for bar in answer.bars:
        ends = (percent(end) for end in utilization_ends(bar))
        table.add_row(
            f"{bar.name} ({bar.why})", f"{float(bar.low):,.4g}", f"{float(bar.high):,.4g}", *ends
        )
    return table


def show_claims(findings: Sequence[Finding], anchors: Sequence[Anchor], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([finding.as_json() for finding in findings], indent=2))
        return
    out = page()
    for finding in findings:
        claim = finding.claim
        out.print(f"{claim.claim_id}: {finding.verdict.value.replace('_', ' ')}", style="bold")
        out.print(f"  {claim.says} ({claim.source})")
        out.print(
            f"  published {claim.published:,}, computed {figure(finding.computed)} "
            f"({claim.unit}) = {finding.formula_shown}"
        )
        out.print(f"  with {finding.inputs_in_words()}")
        out.print(f"  {finding.condition}\n")
    table = Table("public figure", box=None)
    for name in ("published", "computed", "agrees"):
        table.add_column(name, justify="right")
    table.add_column("unit and note", overflow="fold")
    for anchor in anchors:
        told = f"{anchor.unit}; {anchor.note}" if anchor.note else anchor.unit
        agrees = "yes" if anchor.agrees else "NO"
        table.add_row(anchor.says, anchor.published, figure(anchor.computed), agrees, told)
    out.print(table)


def keep_study(study: Study, path: Path | None) -> None:
    if path is not None:
        from benchmarks.economics.report import report  # matplotlib is slow to import

        _write(path, report(study, origin()))


def keep_claims(findings: Sequence[Finding], anchors: Sequence[Anchor], path: Path | None) -> None:
    if path is not None:
        from benchmarks.economics.report import claims_page

        _write(path, claims_page(findings, anchors, origin()))


def _write(path: Path, text: str) -> None:
    write_report(path, text)
    note.print(f"report in {path}")
