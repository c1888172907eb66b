"""A config file as `baseload check` and `baseload serve` see it: findings, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path as FilePath

from cluster.application_args import STAND_IN_KEY_ENV
from cluster.checks.ask_vllm import Ask, Engine, engine_findings
from cluster.checks.gpu_memory import memory_findings
from cluster.checks.machine import (
    PortFact,
    distinct_ports,
    key_findings,
    listeners,
    machine_findings,
    pool_findings,
    ports_in_use,
    tiny_findings,
)
from cluster.checks.offers_and_limits import (
    OfferFact,
    loop_findings,
    offer_findings,
    offers,
    routing_findings,
)
from cluster.checks.resolve_pools import TINY_MODEL, Known, Resolved, ResolvedPool, resolve_parts
from cluster.checks.serve_keys import serve_findings
from cluster.checks.serve_paths import here_findings
from cluster.config_finding import ARGS, HTTP, ROUTING, ConfigFinding, Unchecked, error
from cluster.machine.host import Host, this_host
from cluster.machine.inventory import Inventory
from cluster.placement_group import CPU_CARD
from cluster.profile import Profile, read_parts
from models.yaml_file import BadYaml, YamlFile, read_yaml
from runtime.config_problems import Path
from runtime.errors import ConfigError

ASKED_FIELDS = frozenset({"vllm_flags", "tool_parser", "reasoning_parser"})


class Place(StrEnum):
    """Which machine the file is for. START: this one, and now."""

    HERE = "here"
    START = "start"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Surroundings:
    """What a check looks at beside the file. ``move`` gives the profile that a start would use."""

    place: Place
    state: FilePath
    today: date
    environment: Mapping[str, str]
    seen: Inventory
    ask: Ask
    move: Callable[[Profile], Profile] = field(default=lambda profile: profile)
    host: Host = field(default_factory=this_host)


@dataclass(frozen=True)
class CheckReport:
    """``profile`` is None where there is an error; the other parts are then those without one."""

    path: FilePath
    findings: tuple[ConfigFinding, ...]
    unchecked: tuple[Unchecked, ...] = ()
    profile: Profile | None = None
    pools: tuple[ResolvedPool, ...] = ()
    offers: tuple[OfferFact, ...] = ()
    ports: tuple[PortFact, ...] = ()

    @property
    def errors(self) -> list[ConfigFinding]:
        return [each for each in self.findings if each.is_error]

    @property
    def warnings(self) -> list[ConfigFinding]:
        return [each for each in self.findings if not each.is_error]


def check_file(path: FilePath, around: Surroundings) -> CheckReport:
    """Everything that is wrong with the file at once; raises nothing about the file itself."""
    try:
        file = read_yaml(path)
    except BadYaml as bad:
        found = [replace(error(each.path, each.wrong), line=each.line) for each in bad.problems]
        return CheckReport(path, tuple(found))
    return _Check(path, file, around).report()


class _Check:
    def __init__(self, path: FilePath, file: YamlFile, around: Surroundings) -> None:
        self._path = path
        self._file = file
        self._around = around
        self._parts = read_parts(file.content)
        self._findings = list(self._parts.findings)
        self._unchecked: list[Unchecked] = []

    def report(self) -> CheckReport:
        parts, around = self._parts, self._around
        self._add_new(serve_findings(self._file.content))
        try:
            known = Known.load()
        except ConfigError as bad:
            self._findings.append(error((), bad.message))
            return self._report()
        resolved = resolve_parts(parts.pools, parts.stand_in, known, around.state, ARGS)
        self._findings += resolved.findings
        self._look_at_pools(resolved.pools, known)
        if around.place is not Place.ELSEWHERE:
            self._findings += here_findings(self._file.content)
        environment = self._environment()
        facts = self._look_at_routing(known, environment)
        profile = parts.profile(self._path)
        if profile is not None:
            profile = around.move(profile)
            own = len(self._findings)
            self._look_at(profile, resolved)
            if parts.http is not None and profile.port != parts.http.port:
                self._findings[own:] = map(_of_option, self._findings[own:])
        self._ask_vllm(resolved, environment)
        return self._report(profile, resolved.pools, facts)

    def _look_at_pools(self, pools: Sequence[ResolvedPool], known: Known) -> None:
        """Together with those that something is wrong with already, as far as it says nothing of
        the rest."""
        around, mended = self._around, self._parts.mended_pools
        others = {number: each.part for number, each in mended.items()}
        resolved = resolve_parts(others, None, known, around.state, ARGS)
        all_pools, found = [*pools, *resolved.pools], list(resolved.findings)
        for pool in all_pools:
            found += memory_findings(pool)
        if around.place is not Place.ELSEWHERE:
            found += pool_findings(all_pools, around.seen, around.host, around.environment)
        at = len(ARGS) + 1
        self._findings += [
            each
            for each in found
            if (own := mended.get(_number(each.problem.path))) is None
            or not own.is_about(each.problem.path[at + 1 :])
        ]

    def _look_at_routing(
        self, known: Known, environment: Mapping[str, str] | None
    ) -> list[OfferFact]:
        """The offers that can be told."""
        parts, today = self._parts, self._around.today
        if parts.routing is not None:
            facts = offers(parts.routing, known.prices, environment, today)
            self._findings += routing_findings(parts.routing, parts.args, facts, environment)
            return facts
        if (rest := parts.mended_routing) is not None:
            facts = offers(rest.part, known.prices, environment, today)
            at = len(ROUTING)
            self._findings += [
                each
                for each in offer_findings(rest.part, parts.args, facts, environment)
                if not rest.is_about(each.problem.path[at:])
            ]
        return []

    def _add_new(self, findings: Sequence[ConfigFinding]) -> None:
        """Serve's schema may say again, in its own words, what was found already."""
        told = {each.problem.path for each in self._findings}
        self._findings += [each for each in findings if each.problem.path not in told]

    def _environment(self) -> dict[str, str] | None:
        """As Scheduler and engines will have it; None: that of another machine."""
        if self._around.place is Place.ELSEWHERE:
            return None
        own = {STAND_IN_KEY_ENV: "made by the start"} if self._parts.stand_in is not None else {}
        return {**self._around.environment, **self._parts.variables, **own}

    def _look_at(self, profile: Profile, resolved: Resolved) -> None:
        around, found = self._around, listeners(profile)
        self._findings += distinct_ports(found)
        self._findings += loop_findings(profile)
        if around.place is Place.ELSEWHERE:
            what = "folders, cards, addresses, ports, keys and the environment"
            self._unchecked.append(Unchecked(what, "the file is for another machine"))
            return
        self._findings += machine_findings(profile)
        self._findings += key_findings(profile, around.state)
        if resolved.needs_tiny:
            self._findings += tiny_findings(around.state / TINY_MODEL)
        if around.place is Place.START:
            self._findings += ports_in_use(found)
        else:
            self._unchecked.append(Unchecked("whether the ports are free", "a start looks"))

    def _ask_vllm(self, resolved: Resolved, environment: Mapping[str, str] | None) -> None:
        """About engines that nothing is known against: of others vLLM would only say it again."""
        wrong = [each.problem.path for each in self._findings if each.is_error]
        engines = []
        for each in self._engines(resolved, environment is not None):
            depth = len(each.path)
            own = [path[depth:] for path in wrong if path[:depth] == each.path]
            if not any(path[:1] == ("engine",) for path in own):
                engines.append(replace(each, configure=each.configure and not own))
        environment = self._around.environment if environment is None else environment
        found, unchecked = engine_findings(engines, environment, self._around.ask)
        self._findings += found
        self._unchecked += unchecked

    def _engines(self, resolved: Resolved, is_here: bool) -> Iterator[Engine]:
        """All but the tiny model's with nothing that vLLM could refuse: to ask takes seconds."""
        for pool in resolved.pools:
            if not pool.is_tiny or not ASKED_FIELDS.isdisjoint(pool.args.engine):
                on_cpu = pool.card.card_id == CPU_CARD
                yield Engine(pool.path, pool.settings, on_cpu, is_here)
        stand_in, settings = self._parts.stand_in, resolved.stand_in
        if stand_in and settings and not ASKED_FIELDS.isdisjoint(stand_in.engine):
            yield Engine((*ARGS, "stand_in"), settings, True, is_here)

    def _report(
        self,
        profile: Profile | None = None,
        pools: Sequence[ResolvedPool] = (),
        facts: Sequence[OfferFact] = (),
    ) -> CheckReport:
        findings = [replace(each, line=self._line(each)) for each in self._findings]
        is_whole = profile is not None and not any(each.is_error for each in findings)
        return CheckReport(
            path=self._path,
            findings=tuple(findings),
            unchecked=tuple(self._unchecked),
            profile=profile if is_whole else None,
            pools=tuple(pools),
            offers=tuple(facts),
            ports=() if profile is None else tuple(listeners(profile)),
        )

    def _line(self, finding: ConfigFinding) -> int | None:
        return None if finding.option else self._file.line(finding.problem.path)


def _number(path: Path) -> int:
    """Of the pool that is meant; -1: of none."""
    inner = path[len(ARGS) :]
    is_pool = path[: len(ARGS)] == ARGS and len(inner) > 1 and inner[0] == "pools"
    return int(inner[1]) if is_pool else -1


def _of_option(finding: ConfigFinding) -> ConfigFinding:
    """Of a port that the command line says, not the file."""
    is_port = finding.problem.path == (*HTTP, "port")
    return replace(finding, option="--port") if is_port else finding
