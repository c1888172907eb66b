"""What Baseload adds to the engines: the same ones, asked directly and through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.documents.markdown import paragraphs, plain, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.rig.comparison import METRICS, SCHEDULER

_COMMAND = "make bench"


def section(result: Result) -> Section:
    document = result.document
    effort, stack = document["method"]["effort"], document["method"]["stack"]
    body = paragraphs(
        "Engines, gateway, HAProxy and client share the machine. Two ways to the same engines, in "
        f"turn: {stack['answer_tokens']} streamed tokens, medians of {effort['pairs']} alternating "
        "pairs. Ratios are taken within a pair, with their range in brackets; a wide one says that "
        "the machine was not quiet.",
        table(
            ("concurrency", "", "engine", "Baseload", "ratio", "difference"),
            [row for each in document["through_baseload"] for row in _contrasts(each)],
            "ll",
        ),
        "One gateway process against a scripted upstream, by the shape of the answers (medians of "
        "the rounds):",
        table(
            ("tokens per answer", "starts", "offered chunks/s", "chunks/s", "CPU µs per chunk"),
            _alone(document["gateway_alone"]),
            "ll",
        ),
        f"At most {document['chunks_per_s_per_process']:,.0f} chunks/s through one process.",
        _failures(document["failures"]),
        result.in_full(_COMMAND),
    )
    return Section("Overhead", body, short=_short(result))


def _contrasts(comparison: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for name, label in METRICS.items():
        found = comparison["contrasts"][name]
        rows.append(
            [
                str(comparison["concurrency"]) if name == "req_s" else "",
                label,
                f"{found['direct']:.1f}",
                f"{found['baseload']:.1f}",
                _ratio(found),
                f"{found['difference']:+.1f}",
            ]
        )
    for name, cpu_us in comparison["cpu_us_per_chunk"].items():
        rows.append(["", f"CPU of the {name}, µs per chunk", "", f"{cpu_us:.0f}", "", ""])
    rows.append(["", "errors", "", str(comparison["errors"]), "", ""])
    return rows


def _ratio(found: Mapping[str, float]) -> str:
    return f"{found['ratio']:.2f} ({found['ratio_min']:.2f}–{found['ratio_max']:.2f})"


def _alone(cells: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Cells of one shape are rounds."""
    by_shape: dict[tuple[int, bool, int], list[Mapping[str, Any]]] = {}
    for cell in cells:
        shape = cell["shape"]
        key = shape["answer_tokens"], shape["spread"], shape["offered_chunks_s"]
        by_shape.setdefault(key, []).append(cell["measured"])
    return [
        [
            str(tokens),
            "spread" if spread else "at once",
            f"{offered:,}",
            f"{median(each['chunks_s'] for each in rounds):,.0f}",
            f"{median(1e6 * each['cpu_s']['gateway'] / each['chunks'] for each in rounds):.1f}",
        ]
        for (tokens, spread, offered), rounds in by_shape.items()
    ]


def _failures(found: Sequence[str]) -> str:
    return f"What failed: {plain('; '.join(found))}." if found else ""


def _short(result: Result) -> str:
    document = result.document
    rows = []
    for each in document["through_baseload"]:
        rate, ttft, whole = (
            each["contrasts"][name] for name in ("req_s", "ttft_ms_p50", "e2e_ms_p50")
        )
        rows.append(
            [
                str(each["concurrency"]),
                f"{rate['direct']:.1f} → {rate['baseload']:.1f}",
                _ratio(rate),
                f"{ttft['direct']:.0f} → {ttft['baseload']:.0f}",
                f"{whole['direct']:.0f} → {whole['baseload']:.0f}",
            ]
        )
    scheduler_us = document["through_baseload"][-1]["cpu_us_per_chunk"][SCHEDULER]
    return paragraphs(
        "**Overhead**, the same engines asked directly → through Baseload, all on the same cores:",
        table(("concurrency", "req/s", "ratio", "TTFT p50, ms", "E2E p50, ms"), rows),
        f"One gateway process takes {document['cpu_us_per_chunk_c64']:.0f} µs of CPU per streamed "
        f"chunk of a long answer, {scheduler_us:.0f} with busy engines on its cores, and passes on "
        f"{document['chunks_per_s_per_process']:,.0f} chunks/s at most. "
        f"({result.in_short(_COMMAND)})",
    )
