"""The options of `baseload drill`, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.cli import common_options
from cluster.cli.typer_options import option
from cluster.drill.scenario import Scenario

SECONDS, RATE_PER_S = 8.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOptions:
    config: Path = common_options.config_file()
    scenario: list[Scenario] | None = option(
        "What happens; may be given more than once. Default: all of them.", None
    )
    seconds: float = option(
        "Of each scenario; the fault begins in the middle.", SECONDS, min=1, max=600
    )
    rate_per_s: float = option("Requests per second.", RATE_PER_S, "--rate", min=1, max=200)
    report: Path | None = option("Write all of it to this .html file.", None)
    as_json: bool = common_options.json_output()
