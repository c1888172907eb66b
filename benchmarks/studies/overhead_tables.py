"""The overhead result as tables for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmarks.rig.comparison import METRICS, SCHEDULER, Comparison
from benchmarks.rig.gateway_alone import CONCURRENCY, Cell


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    title = "The same engines, asked directly and through Baseload"
    return _compared(comparisons, title, ("engine", "Baseload"))


def policy_table(comparisons: Sequence[Comparison]) -> Table:
    title = "One gateway, scripted upstream, 2 kB prompts: by a model's name, and by a rule's"
    return _compared(comparisons, title, ("without rules", "with all"))


def _compared(comparisons: Sequence[Comparison], title: str, ways: tuple[str, str]) -> Table:
    table = Table(title=title)
    for name in ("c", "", *ways, "ratio", "of pairs", "difference"):
        table.add_column(name, justify="left" if name == "" else "right")
    for each in comparisons:
        for name, label in METRICS.items():
            shown = each.contrasts[name]
            table.add_row(
                str(each.concurrency) if name == "req_s" else "",
                label,
                f"{shown.direct:.1f}",
                f"{shown.baseload:.1f}",
                f"{shown.ratio:.2f}",
                f"{shown.ratio_min:.2f}–{shown.ratio_max:.2f}",
                f"{shown.difference:+.1f}",
            )
        cpu = each.cpu_us_per_chunk[SCHEDULER]
        table.add_row("", "CPU µs/chunk", "", f"{cpu:.1f}")
        table.add_row("", "errors", "", str(each.errors), end_section=True)
    return table


def alone_table(cells: Sequence[Cell]) -> Table:
    table = Table(
        title=f"One gateway process, scripted upstream, c={CONCURRENCY}",
        caption="others: cores that other processes took; far from 0, measure again",
    )
    names = ("tokens", "starts", "offered/s", "chunks/s", "reads/s", "µs/chunk", "of a core")
    for name in (*names, "others", "errors"):
        table.add_column(name, justify="right")
    for cell in cells:
        table.add_row(
            str(cell.shape.answer_tokens),
            "spread" if cell.shape.spread else "at once",
            str(cell.shape.offered_chunks_s),
            f"{cell.measured.chunks_s:.0f}",
            f"{cell.measured.reads_s:.0f}",
            f"{cell.cpu_us_per_chunk:.1f}",
            f"{cell.cpu_share:.2f}",
            f"{cell.others_cpu_share:.2f}",
            str(cell.measured.errors),
        )
    return table
