"""The `baseload` command. Every command has --json on stdout; progress goes to stderr."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer

from cluster.cli import common_options
from cluster.cli.bench.command import bench
from cluster.cli.breakeven.command import breakeven
from cluster.cli.check import check, checked_profile
from cluster.cli.common_options import JsonOption
from cluster.cli.config_watch import ConfigWatch
from cluster.cli.doctor import doctor
from cluster.cli.drill.command import drill_command
from cluster.cli.ledger import ledger_app
from cluster.cli.plan.command import plan_command
from cluster.cli.prices import prices
from cluster.cli.ready_message import welcome
from cluster.cli.reload import Reload
from cluster.cli.simulate.command import simulate
from cluster.cli.terminal import note
from cluster.cli.typer_options import option, takes
from cluster.machine.ports import free_ports
from cluster.profile import Profile
from cluster.run import supervisor
from cluster.run.config_handover import hand_over
from cluster.run.ray_address import NothingRuns, existing_token, stack_address
from cluster.state_folder import state_folder
from runtime.edge.auth import hash_key, new_key
from runtime.errors import BaseloadError, ConfigError
from runtime.start_failed import StartFailed

EXIT_NOTHING_RUNS = 1
EXIT_REFUSED = 2
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


def main() -> None:
    """The console script. A refusal is one line on stderr and exit status 2."""
    try:
        app()
    except BaseloadError as error:
        _refuse(error)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in BENCH_ONLY:
            raise
        _refuse(ConfigError(f"this needs {error.name}, which serving does not: {INSTALL_BENCH}"))
    except OSError as error:
        if error.filename is None:  # no file that a person could mend
            raise
        _refuse(ConfigError(f"{error.filename} cannot be used: {error.strerror}"))


@app.callback()
def baseload() -> None:
    """Self-hosted inference that keeps GPUs at base load, buys the peaks, and bills every token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    config: Path = common_options.config_file()
    port: int | None = common_options.port("Listen here instead.")
    with_make: bool = option("End with the process that started this.", False, hidden=True)


@app.command()
@takes(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Start the endpoint and stay until Ctrl-C.

    Example: baseload serve --port 8010
    """
    state = state_folder()
    common_options.check_port(options.port)

    side_ports: list[int] = []  # the same for the file as it changes

    def moved(profile: Profile) -> Profile:
        if options.port is None or options.port == profile.port:
            return profile
        side_ports.extend(() if side_ports else free_ports(2))
        return profile.moved(options.port, side_ports)

    profile = checked_profile(options.config, moved)
    supervisor.preflight(profile, state)
    with _signals():
        run = supervisor.start(profile, state, watch_parent=options.with_make)
        drain = True
        try:
            _attend(run, state, ConfigWatch(profile, moved))
        except supervisor.Orphaned:
            drain = False
        except supervisor.Stopped:
            note.print("stopping: running requests may finish")
        except StartFailed as error:  # said at once: to end what was started takes its time
            drain = False
            _refuse(error)
        finally:
            with _signals_ignored():
                killed = supervisor.stop(run, drain=drain)
            late = f" ({killed} processes had to be killed)" if drain and killed else ""
            note.print(f"stopped{late}")


def _attend(run: supervisor.Run, state: Path, watch: ConfigWatch) -> None:
    started_s = time.monotonic()

    def say(line: str) -> None:
        note.print(f"  {line}")

    supervisor.wait_ready(run, say)
    note.print(f"Baseload is ready after {time.monotonic() - started_s:.0f} s", style="bold")
    told = supervisor.probe_ready(run.profile, run.run_id)
    for line in welcome(run.profile, state, told):
        print(line, flush=True)

    def ready() -> dict[str, Any]:
        return supervisor.probe_ready(run.profile, run.run_id)

    reload = Reload(watch, partial(hand_over, run.files.config), ready)
    supervisor.stay(run, say, reload.news)


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


def _refuse(error: BaseloadError) -> NoReturn:
    note.print(f"baseload: {error.message}", style="red")
    if isinstance(error, StartFailed):
        for line in error.log_lines():
            note.print(line)
    raise SystemExit(EXIT_REFUSED)


@contextmanager
def _signals() -> Iterator[None]:
    def on_signal(number: int, frame: FrameType | None) -> None:
        raise supervisor.Stopped

    before = [(each, signal.signal(each, on_signal)) for each in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for each, handler in before:
            signal.signal(each, handler)


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """While stopping: a second Ctrl-C must not leave half a run behind."""
    before = [
        (each, signal.signal(each, signal.SIG_IGN)) for each in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield
    finally:
        for each, handler in before:
            signal.signal(each, handler)
