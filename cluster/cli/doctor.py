"""`baseload doctor`: what this machine has, what is wrong with it, and what to do."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from cluster.cli import common_options
from cluster.cli.terminal import page
from cluster.cli.typer_options import option, takes
from cluster.machine.inventory import Inventory, custom_resources, inventory
from cluster.profile import load
from cluster.run.doctor_examine import card_checks, examine
from cluster.run.doctor_verdict import Check, DoctorVerdict
from cluster.run.ray_address import NothingRuns, cluster_address, existing_token
from cluster.state_folder import state_folder
from models.cards import load_cards

EXIT_PROBLEM = 1
PAGE_COLUMNS = 160  # where stdout is no terminal
STYLES = {
    DoctorVerdict.OK: "green",
    DoctorVerdict.WARNING: "yellow",
    DoctorVerdict.PROBLEM: "bold red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    config: Path = common_options.config_file()
    cluster: bool = option("Also look at the cards of every node of the Ray cluster.", False)
    port: int | None = common_options.port("Look at this port instead of the file's.")
    as_json: bool = common_options.json_output()


@takes(DoctorOptions)
def doctor(options: DoctorOptions) -> None:
    """Check driver, cards, memory, cores, NVLink, versions, port and disk. Exit status 1 on a
    problem; a warning is none.

    Example: baseload doctor

    Example: baseload doctor cluster/h20-3e.yaml --cluster --json
    """
    common_options.check_port(options.port)
    profile = load(options.config)
    if options.port is not None:
        http = profile.http.model_copy(update={"port": options.port})
        profile = replace(profile, http=http)
    here = inventory()
    checks = examine(profile, state_folder(), here)
    nodes: tuple[Inventory, ...] = ()
    if options.cluster:
        try:
            nodes = _nodes()
        except NothingRuns as error:
            found, _, advice = error.message.partition(": ")
            checks.append(Check("cluster", DoctorVerdict.PROBLEM, found, advice))
    for node in nodes:
        checks += [_on(node.node, check) for check in card_checks(node, load_cards())]
    is_well = all(check.verdict is not DoctorVerdict.PROBLEM for check in checks)
    if options.as_json:
        told = {
            "ok": is_well,
            "checks": [*map(asdict, checks)],
            "nodes": [*map(asdict, nodes or (here,))],
            "resources": custom_resources(here),  # for `ray start --resources` on this node
        }
        print(json.dumps(told, indent=2))
    else:
        page(PAGE_COLUMNS).print(_table(checks))
    if not is_well:
        raise typer.Exit(EXIT_PROBLEM)


def _nodes() -> tuple[Inventory, ...]:
    address = cluster_address(state_folder())
    os.environ.update(existing_token(state_folder()))
    from cluster.run.cluster_view import inventories  # Ray reads the token when it is imported

    return inventories(address)


def _on(node: str, check: Check) -> Check:
    return Check(f"{node}: {check.name}", check.verdict, check.found, check.advice)


def _table(checks: list[Check]) -> Table:
    table = Table("check", "", "found", "what to do", box=None)
    for check in checks:
        verdict = Text(check.verdict, STYLES[check.verdict])
        table.add_row(check.name, verdict, check.found, check.advice)
    return table
