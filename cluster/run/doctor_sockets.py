"""What listens on a machine already: Ray's dashboards, and whoever has the port of a profile."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.machine.ports import port_is_free
from cluster.profile import Profile
from cluster.run import supervisor
from cluster.run.doctor_verdict import Check, DoctorVerdict
from cluster.state_folder import STATE_ENV

DASHBOARD_PORT = 8265
DASHBOARD_PROGRAM = "ray/dashboard/dashboard.py"
PROGRAM_CHARS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for connections. ``program`` is the command line behind it, ``owner``
    its user; empty and None where the system does not tell. ``is_ours``: this user started it,
    and not for another state folder."""

    address: str
    port: int
    program: str = ""
    pid: int | None = None
    owner: str = ""
    is_ours: bool = False

    @property
    def who(self) -> str:
        if self.pid is None:
            return "another user's process"
        return f"pid {self.pid}" + (f" of {self.owner}" if self.owner else "")


def dashboard_check(listeners: Sequence[Listener]) -> Check:
    """Ray runs whatever its dashboard is asked to, so nobody but this machine may reach it. One
    that others have started is theirs to close, and keeps nothing from starting."""
    dashboards = [
        each
        for each in listeners
        if each.port == DASHBOARD_PORT or DASHBOARD_PROGRAM in each.program
    ]
    found = ", ".join(f"{each.address}:{each.port} ({each.who})" for each in dashboards)
    is_open = [each for each in dashboards if not _is_loopback(each.address)]
    if any(each.is_ours for each in is_open):
        advice = "anyone who reaches it runs code here: start Ray with --dashboard-host=127.0.0.1"
        return Check("Ray dashboard", DoctorVerdict.PROBLEM, f"open on {found}", advice)
    if is_open:
        advice = "anyone who reaches it runs code as its owner: tell them; nothing here needs it"
        return Check("Ray dashboard", DoctorVerdict.WARNING, f"open on {found}", advice)
    return Check("Ray dashboard", DoctorVerdict.OK, f"on {found} only" if found else "not running")


def port_check(profile: Profile, listeners: Sequence[Listener] = ()) -> Check:
    place = f"{profile.host}:{profile.port}"
    if port_is_free(profile.host, profile.port):
        return Check("port", DoctorVerdict.OK, f"{place} is free")
    if supervisor.probe_ready(profile):
        return Check("port", DoctorVerdict.OK, f"Baseload answers on {place}")
    holder = next((each for each in listeners if each.port == profile.port), None)
    by = ""
    if holder is not None:
        program = f": {holder.program[:PROGRAM_CHARS_SHOWN]}" if holder.program else ""
        by = f" by {holder.who}{program}"
    advice = "stop what holds it, or choose another with `baseload serve --port`"
    return Check("port", DoctorVerdict.PROBLEM, f"{place} is in use{by}", advice)


def listeners(state: Path) -> Iterator[Listener]:
    """The listeners of this machine, each once; ``state`` is this run's state folder."""
    seen = set[tuple[str, int]]()
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        place = (connection.laddr.ip, connection.laddr.port)
        if place not in seen:
            seen.add(place)
            yield _listener(*place, connection.pid, state)


def _listener(address: str, port: int, pid: int | None, state: Path) -> Listener:
    if pid is None:  # another user's
        return Listener(address, port)
    try:
        process = psutil.Process(pid)
        program, owner = " ".join(process.cmdline()), process.username()
        is_ours = process.uids().real == os.getuid() and _is_for(process, state)
    except (psutil.Error, OSError):
        return Listener(address, port, pid=pid)
    return Listener(address, port, program, pid, owner, is_ours)


def _is_for(process: psutil.Process, state: Path) -> bool:
    """Whether it was not started for another state folder."""
    other = process.environ().get(STATE_ENV)
    return other is None or Path(other).absolute() == state.absolute()


def _is_loopback(address: str) -> bool:
    plain = ipaddress.ip_address(address.partition("%")[0])
    mapped = plain.ipv4_mapped if isinstance(plain, ipaddress.IPv6Address) else None
    return (mapped or plain).is_loopback
