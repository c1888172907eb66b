"""`baseload serve`: starts the endpoint of a config file, follows changes of it, and ends it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from cluster.cli import common_options
from cluster.cli.check import checked_profile
from cluster.cli.config_watch import ConfigWatch
from cluster.cli.ready_message import welcome
from cluster.cli.reload import Reload
from cluster.cli.terminal import note, refuse
from cluster.cli.typer_options import option, takes
from cluster.machine.ports import free_ports
from cluster.profile import Profile
from cluster.run import supervisor
from cluster.run.config_handover import hand_over
from cluster.state_folder import state_folder
from runtime.start_failed import StartFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    config: Path = common_options.config_file()
    port: int | None = common_options.port("Listen here instead.")
    with_make: bool = option("End with the process that started this.", False, hidden=True)


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
            refuse(error)
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
