"""The options of `baseload plan`, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.cli import common_options
from cluster.cli.typer_options import argument, option, panel
from models.planner import RUNNING_MAX_PER_RANK
from models.sizing.kv_cache import KvDtype


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOptions:
    input_tokens: int = option("Prompt tokens of a request.", 2_000, "--input")
    output_tokens: int = option("Answer tokens of a request.", 500, "--output")
    ttft_ms: float | None = option("Time to first token at most, without a queue.", None)
    tpot_ms: float | None = option("Time per output token at most, at the load.", None)
    running_max: int = option("Requests in a batch of one rank.", RUNNING_MAX_PER_RANK, min=1)
    kv_dtype: KvDtype | None = option("Of the KV cache.", None)
    dense: bool = option("Plan a config without experts as well.", False, "--dense/--no-dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    report: Path | None = common_options.report_page()
    write: Path | None = option("Write the Serve config of the best layout.", None)
    as_json: bool = common_options.json_output()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    model: str = argument("A catalogue name, a folder, or a hub id.")
    card: str = option("H100, H200, H800, H20 or H20-3e.")
    cards: int = option("How many: 1, 2, 4, 8, or whole nodes of 8.")
    asked: AskedOptions = panel("What is asked")
    output: OutputOptions = panel("Output")
