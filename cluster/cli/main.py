"""The `baseload` command. Every command has --json on stdout; progress goes to stderr."""

from __future__ import annotations

import json
import os

import typer

from cluster.cli.bench.command import bench
from cluster.cli.breakeven.command import breakeven
from cluster.cli.check import check
from cluster.cli.common_options import JsonOption
from cluster.cli.doctor import doctor
from cluster.cli.drill.command import drill_command
from cluster.cli.ledger import ledger_app
from cluster.cli.plan.command import plan_command
from cluster.cli.prices import prices
from cluster.cli.serve import serve
from cluster.cli.simulate.command import simulate
from cluster.cli.terminal import note, refuse
from cluster.cli.typer_options import takes
from cluster.run.ray_address import NothingRuns, existing_token, stack_address
from cluster.state_folder import state_folder
from runtime.edge.auth import hash_key, new_key
from runtime.errors import BaseloadError, ConfigError

EXIT_NOTHING_RUNS = 1
BENCH_ONLY = frozenset(
    {"scipy", "matplotlib", "polars", "jinja2"}
)  # the extra "bench" of pyproject.toml
INSTALL_BENCH = "pip install --no-deps -r requirements/bench.lock"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(ledger_app, name="ledger")
app.command()(simulate)
app.command()(bench)
app.command()(breakeven)
app.command()(doctor)
app.command()(check)
app.command()(prices)
app.command("plan")(plan_command)
app.command("drill")(drill_command)
app.command()(serve)


def main() -> None:
    """The console script. A refusal is one line on stderr and exit status 2."""
    try:
        app()
    except BaseloadError as error:
        refuse(error)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in BENCH_ONLY:
            raise
        refuse(ConfigError(f"this needs {error.name}, which serving does not: {INSTALL_BENCH}"))
    except OSError as error:
        if error.filename is None:  # no file that a person could mend
            raise
        refuse(ConfigError(f"{error.filename} cannot be used: {error.strerror}"))


@app.callback()
def baseload() -> None:
    """Self-hosted inference that keeps GPUs at base load, buys the peaks, and bills every token."""


@app.command()
@takes(JsonOption)
def key(options: JsonOption) -> None:
    """Make an API key and the hash that goes into a tenant's `key_sha256`.

    Example: baseload key --json
    """
    made = new_key()
    if options.as_json:
        print(json.dumps({"key": made, "key_sha256": hash_key(made)}))
    else:
        print(f"key         {made}   (shown once; give it to the caller)")
        print(f"key_sha256: [{hash_key(made)}]   # for the tenant, in the config file")


@app.command()
@takes(JsonOption)
def engines(options: JsonOption) -> None:
    """List the live replicas of the stack with this state folder, with their private addresses.

    The tokens are an operator's: they open the engines past the Scheduler and its ledger. Exit
    status 1 where no stack runs.

    Example: baseload engines --json
    """
    state = state_folder()
    try:
        address = stack_address(state)
    except NothingRuns as error:
        note.print(f"baseload: {error.message}", style="red")
        raise typer.Exit(EXIT_NOTHING_RUNS) from None
    os.environ.update(existing_token(state))
    from cluster.run.cluster_view import live_engines  # Ray reads the token when it is imported

    found = live_engines(address)
    if options.as_json:
        print(json.dumps(found))
        return
    for entry in found:
        print(f"{entry['replica_id']}  {entry['base_url']}  {entry['kv_tokens_max']} KV tokens")
