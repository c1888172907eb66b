"""What of a config file depends on the machine: folders, cards, addresses, ports, the key file."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from cluster.checks.checkpoint import checkpoint_findings
from cluster.checks.host_memory import host_findings
from cluster.checks.resolve_pools import ResolvedPool
from cluster.config_finding import ARGS, HTTP, ROUTING, ConfigFinding, error, warning
from cluster.machine import ports
from cluster.machine.capacity import WAIT_ENV
from cluster.machine.host import Host
from cluster.machine.inventory import Inventory
from cluster.placement_group import CPU_CARD
from cluster.profile import Profile
from models.tiny.files import NotACheckpoint, refuse_foreign
from runtime.config import METRICS_PORTS_TRIED
from runtime.config_problems import Path, given
from runtime.edge.auth import KeyRing, ensure_local_key, hash_key
from runtime.errors import ConfigError
from runtime.key_hash import LOCAL_TENANT

RUN_PORTS = range(ports.FIRST, ports.FIRST + ports.PER_RUN * ports.RUNS)


@dataclass(frozen=True, slots=True)
class PortFact:
    """Where something of this file listens; ``path`` is the place of the number."""

    what: str
    host: str
    port: int
    path: Path


def listeners(profile: Profile) -> list[PortFact]:
    found = [PortFact("requests", profile.host, profile.port, (*HTTP, "port"))]
    stand_in, told = profile.args.stand_in, profile.routing.telemetry
    if stand_in is not None:
        path = (*ARGS, "stand_in", "port")
        found.append(PortFact("stand-in", stand_in.host, stand_in.port, path))
    if told.metrics_port is not None:
        path = (*ROUTING, "telemetry", "metrics_port")
        found.append(PortFact("metrics", told.metrics_host, told.metrics_port, path))
    return found


def distinct_ports(facts: Sequence[PortFact]) -> Iterator[ConfigFinding]:
    first: dict[int, PortFact] = {}
    for fact in facts:
        before = first.setdefault(fact.port, fact)
        if before is not fact:
            wrong = f"is the port of {before.what}, too"
            yield error(fact.path, wrong, "a port of its own", given(fact.port))
        elif fact.port in RUN_PORTS:
            wrong = f"is one of {RUN_PORTS.start} to {RUN_PORTS.stop - 1}, which runs share out"
            yield warning(fact.path, wrong, "another", given(fact.port))


def machine_findings(profile: Profile) -> list[ConfigFinding]:
    """What is wrong with this machine, whether or not something runs on it already."""
    return [*_hosts(profile)]


def pool_findings(
    pools: Sequence[ResolvedPool], seen: Inventory, host: Host, environment: Mapping[str, str]
) -> list[ConfigFinding]:
    """What this machine lacks for the pools."""
    tell = warning if environment.get(WAIT_ENV) == "1" else error
    found = [*_cards(pools, seen, tell), *host_findings(pools, host, tell)]
    for pool in pools:
        if not pool.is_tiny:
            found += checkpoint_findings(pool.model, pool.settings, pool.path)
    return found


def _cards(
    pools: Sequence[ResolvedPool], seen: Inventory, tell: Callable[..., ConfigFinding]
) -> Iterator[ConfigFinding]:
    """A start is on one machine, unless it is told that nodes will join."""
    here = [card.card_id for card in seen.cards]
    needed: dict[str, int] = {}
    for pool in pools:
        card = pool.card.card_id
        if card == CPU_CARD:
            continue
        needed[card] = needed.get(card, 0) + pool.args.replicas * pool.settings.layout.cards
        if needed[card] > here.count(card):
            kinds = {each: each or "cards that the card file lacks" for each in here}
            has = ", ".join(f"{here.count(each)} x {name}" for each, name in kinds.items())
            has = has or f"none ({'; '.join(seen.problems) or 'the driver reports no card'})"
            wrong = f"{needed[card]} x {card} are needed, and this machine has {has}"
            yield tell((*pool.path, "card"), wrong, "check it with --elsewhere", card)


def _hosts(profile: Profile) -> Iterator[ConfigFinding]:
    for path, host in _addresses(profile):
        why = refused_address(host, 0)
        if why is not None:
            wrong = f"{host} is no address of this machine ({why})"
            yield error(path, wrong, "127.0.0.1, or 0.0.0.0 for all of its addresses", given(host))


def _addresses(profile: Profile) -> Iterator[tuple[Path, str]]:
    args, told = profile.args, profile.routing.telemetry
    yield (*HTTP, "host"), profile.host
    if args.engine_host is not None:
        yield (*ARGS, "engine_host"), args.engine_host
    if args.stand_in is not None:
        yield (*ARGS, "stand_in", "host"), args.stand_in.host
    if told.metrics_port is not None:
        yield (*ROUTING, "telemetry", "metrics_host"), told.metrics_host


def ports_in_use(facts: Sequence[PortFact]) -> Iterator[ConfigFinding]:
    """The ports that a start would find in use: where Baseload runs already, its own ports are in
    use, and rightly so."""
    for fact in facts:
        why = refused_address(fact.host, fact.port)
        if why is None:
            continue
        if fact.what == "metrics" and _is_any_free(fact):
            yield warning(fact.path, f"port {fact.port} on {fact.host} {why}: metrics move up")
            continue
        instead = "stop what holds it, or write another"
        if fact.path == (*HTTP, "port"):
            other = fact.port + 10 if fact.port < 65_500 else 8_010
            instead = f"stop what holds it, or use --port {other} (make serve PORT={other})"
        yield error(fact.path, f"port {fact.port} on {fact.host} {why}", instead)


def _is_any_free(fact: PortFact) -> bool:
    tried = range(fact.port + 1, fact.port + METRICS_PORTS_TRIED)
    return any(refused_address(fact.host, port) is None for port in tried)


def refused_address(host: str, port: int) -> str | None:
    """Why nothing can listen there; None: it can. Port 0 asks for the address alone."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except socket.gaierror as refused:
        return str(refused.strerror)
    except OSError as refused:
        if refused.errno == errno.EADDRINUSE:
            return "is in use"
        if refused.errno == errno.EACCES:
            return "is for the system's own users: choose one above 1023"
        return str(refused.strerror)
    return None


def tiny_findings(folder: FilePath) -> Iterator[ConfigFinding]:
    """What is wrong with the folder that the tiny model is made in."""
    try:
        refuse_foreign(folder)
    except (OSError, NotACheckpoint) as refused:
        yield error((*ARGS, "pools"), str(refused), "move it away, or set another state folder")


def key_findings(profile: Profile, state: FilePath) -> Iterator[ConfigFinding]:
    """The keys as the Scheduler puts them together; the local one where it has been made."""
    tenants = profile.routing.tenants
    hashes = {name: list(tenant.key_sha256) for name, tenant in tenants.items()}
    path = (*ARGS, "local_key")
    try:
        if profile.args.local_key and (state / "api-key").exists():
            hashes[LOCAL_TENANT] = [hash_key(ensure_local_key(state / "api-key"))]
        if any(hashes.values()):
            KeyRing(hashes)
    except ConfigError as refused:
        yield error(path, refused.message)
