"""The options of `baseload plan`, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.sizing.kv_cache import KvDtype

ASKED, OUTPUT = "What is asked", "Output"

ModelName = Annotated[str, typer.Argument(help="A catalogue name, a folder, or a hub id.")]
CardName = Annotated[str, typer.Option("--card", help="H100, H200, H800, H20 or H20-3e.")]
Cards = Annotated[int, typer.Option("--cards", help="How many: 1, 2, 4, 8, or whole nodes of 8.")]
InputTokens = Annotated[
    int, typer.Option("--input", help="Prompt tokens of a request.", rich_help_panel=ASKED)
]
OutputTokens = Annotated[
    int, typer.Option("--output", help="Answer tokens of a request.", rich_help_panel=ASKED)
]
TtftMs = Annotated[
    float | None,
    typer.Option(
        "--ttft-ms", help="Time to first token at most, without a queue.", rich_help_panel=ASKED
    ),
]
TpotMs = Annotated[
    float | None,
    typer.Option(
        "--tpot-ms", help="Time per output token at most, at the load.", rich_help_panel=ASKED
    ),
]
RunningMax = Annotated[
    int,
    typer.Option(
        "--running-max", min=1, help="Requests in a batch of one rank.", rich_help_panel=ASKED
    ),
]
KvType = Annotated[
    KvDtype | None, typer.Option("--kv-dtype", help="Of the KV cache.", rich_help_panel=ASKED)
]
Dense = Annotated[
    bool,
    typer.Option(
        "--dense/--no-dense", help="Plan a config without experts as well.", rich_help_panel=ASKED
    ),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Write an HTML page with plots.", rich_help_panel=OUTPUT),
]
Write = Annotated[
    Path | None,
    typer.Option(
        "--write", help="Write the Serve config of the best layout.", rich_help_panel=OUTPUT
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.", rich_help_panel=OUTPUT)]
