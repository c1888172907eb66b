"""What `baseload plan` prints: a table for people, and one JSON document."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from cluster.manifests.planned_model import Planned
from models.planner import LayoutPlan
from models.sizing.memory import GIB

WORKING_SHOWN, REFUSED_SHOWN = 10, 4  # rows of the table; the JSON and the page have them all
PROMPT_SHARE_LARGE = 0.5
UNKNOWN = "–"
SPEED_DIGITS = {
    "tpot_ms": 3,
    "ttft_ms": 1,
    "out_tok_s_per_card": 1,
    "prompt_share": 3,
    "band_pct": 1,
    "ttft_band_pct": 1,
}


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
    cost = found.usd_per_mtok_out
    return {
        "tp": layout.tp,
        "ep": layout.ep,
        "dp": layout.dp,
        "pp": layout.pp,
        "dcp": layout.dcp,
        "nodes": layout.nodes,
        "replicas": found.replicas,
        "fits": found.fits,
        "why_not": found.why_not,
        "notes": list(found.notes),
        "weights_gib_per_card": None if memory is None else round(memory.weights_bytes / GIB, 3),
        "kv_bytes_per_token_per_card": planned.kv_bytes_per_token_per_card(layout),
        "kv_tokens": None if memory is None else memory.kv_tokens,
        "kv_tokens_low": None if memory is None else memory.kv_tokens_low,
        "kv_tokens_high": None if memory is None else memory.kv_tokens_high,
        "concurrency": found.concurrency,
        **{
            name: None if speed is None else round(getattr(speed, name), digits)
            for name, digits in SPEED_DIGITS.items()
        },
        "usd_per_mtok_out": None if cost is None else round(cost, 6),
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
    for found in plan.working[:WORKING_SHOWN]:
        shown.add_row(*_cells(found), style="bold green" if found is plan.chosen else "")
    for found in plan.refused[:REFUSED_SHOWN]:
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
            else f"${found.usd_per_mtok_out:.3f} per M output tokens"
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
    fitting = [each for each in plan.layouts if each.fits]
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
