"""What `baseload plan` prints: a table for people, and one JSON document."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from cluster.planning import Planned
from models.planner import LayoutPlan

GIB = 1 << 30
WORKING_SHOWN, REFUSED_SHOWN = 10, 4  # rows of the table; the JSON and the page have them all
PROMPT_SHARE_LARGE = 0.5
UNKNOWN = "–"


def document(planned: Planned) -> dict[str, Any]:
    plan = planned.plan
    layouts = [layout_json(planned, each) for each in plan.layouts]
    return {
        "model": planned.name,
        "card": plan.card.name,
        "cards": plan.cards,
        "input_tokens": plan.objective.input_tokens,
        "output_tokens": plan.objective.output_tokens,
        "ttft_ms": plan.objective.ttft_ms,
        "tpot_ms": plan.objective.tpot_ms,
        "kv_dtype": plan.kv_dtype,
        "chosen": None if plan.chosen is None else layouts[0],
        "would_fit": list(plan.would_fit),
        "unknown": list(planned.shape.unknown),
        "layouts": layouts,
    }


def layout_json(planned: Planned, found: LayoutPlan) -> dict[str, Any]:
    layout, memory, speed = found.layout, found.fit, found.speed
    return {
        "tp": layout.tp,
        "ep": layout.ep,
        "dp": layout.dp,
        "pp": layout.pp,
        "dcp": layout.dcp,
        "nodes": layout.nodes,
        "replicas": found.replicas,
        "fits": memory is not None and memory.fits,
        "why_not": found.why_not,
        "notes": list(found.notes),
        "weights_gib_per_card": None if memory is None else round(memory.weights_bytes / GIB, 3),
        "kv_bytes_per_token_per_card": planned.kv_bytes_per_token_per_card(layout),
        "kv_tokens": None if memory is None else memory.kv_tokens,
        "concurrency": found.concurrency,
        "tpot_ms": None if speed is None else round(speed.tpot_ms, 3),
        "ttft_ms": None if speed is None else round(speed.ttft_ms, 1),
        "out_tok_s_per_card": None if speed is None else round(speed.out_tok_s_per_card, 1),
        "prompt_share": None if speed is None else round(speed.prompt_share, 3),
        "band_pct": None if speed is None else round(speed.band_pct, 1),
        "usd_per_mtok_out": _rounded(found.usd_per_mtok_out, 6),
        "engine_args": planned.engine_args(found) if found.why_not is None else None,
    }


def table(planned: Planned) -> Table:
    """The layouts that work from the cheapest on, and the first of those that do not."""
    plan = planned.plan
    shown = Table(title=title(planned), title_justify="left")
    for name in ("layout", "replicas", "weights", "KV tokens", "at once", "TTFT", "TPOT"):
        shown.add_column(name, justify="left" if name == "layout" else "right")
    shown.add_column("tok/s/card", justify="right")
    shown.add_column("$/M out", justify="right")
    shown.add_column("", justify="left", overflow="fold")
    working = [each for each in plan.layouts if each.why_not is None]
    refused = [each for each in plan.layouts if each.why_not is not None]
    for number, found in enumerate(working[:WORKING_SHOWN]):
        shown.add_row(*_cells(found), style="bold green" if number == 0 else "")
    for found in refused[:REFUSED_SHOWN]:
        shown.add_row(*_cells(found), style="dim")
    left_out = len(plan.layouts) - shown.row_count
    if left_out:
        shown.caption = f"{left_out} more layouts are in --json and --report"
    return shown


def title(planned: Planned) -> str:
    plan, asked = planned.plan, planned.plan.objective
    limits = [
        f"{name} at most {limit:g} ms"
        for name, limit in (("TTFT", asked.ttft_ms), ("TPOT", asked.tpot_ms))
        if limit is not None
    ]
    return (
        f"{planned.name} on {plan.cards} × {plan.card.name}, {asked.input_tokens} tokens in, "
        f"{asked.output_tokens} out" + "".join(f", {limit}" for limit in limits)
    )


def verdict(planned: Planned) -> str:
    """The answer in a sentence."""
    plan = planned.plan
    if plan.chosen is not None:
        found = plan.chosen
        cost = (
            "at no known price"
            if found.usd_per_mtok_out is None
            else (f"${found.usd_per_mtok_out:.3f} per M output tokens")
        )
        band = f" (±{found.speed.band_pct:.0f} %)" if found.speed is not None else ""
        share = 0.0 if found.speed is None else found.speed.prompt_share
        prompts = f" Prompts take {share:.0%} of the time"
        if share > PROMPT_SHARE_LARGE:
            prompts += ": work with longer answers suits these cards better"
        notes = "".join(f" Mind: {each}." for each in found.notes)
        return f"Run {found.replicas} × {found.layout}: {cost}{band}.{prompts}.{notes}"
    if plan.would_fit:
        return f"No: it does not fit. It would on {' or '.join(plan.would_fit)}."
    fitting = [each for each in plan.layouts if each.fit is not None and each.fit.fits]
    if fitting:
        return f"No: {fitting[0].layout} fits, but {fitting[0].why_not}."
    return "No: it does not fit, nor on more of these cards."


def _cells(found: LayoutPlan) -> list[str]:
    memory, speed = found.fit, found.speed
    return [
        str(found.layout),
        str(found.replicas),
        UNKNOWN if memory is None else f"{memory.weights_bytes / GIB:.1f} GiB",
        UNKNOWN if memory is None or not memory.fits else f"{memory.kv_tokens:,}",
        str(found.concurrency) if found.concurrency else UNKNOWN,
        UNKNOWN if speed is None else f"{speed.ttft_ms:,.0f} ms",
        UNKNOWN if speed is None else f"{speed.tpot_ms:.1f} ms",
        UNKNOWN if speed is None else f"{speed.out_tok_s_per_card:,.0f}",
        UNKNOWN if found.usd_per_mtok_out is None else f"{found.usd_per_mtok_out:.3f}",
        found.why_not or "",
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
