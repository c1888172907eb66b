"""A Serve config file as `baseload serve` reads it: checked as a whole before Ray starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cluster.application_args import AppArgs, PoolArgs, StandInArgs
from cluster.config_finding import (
    APPLICATION,
    ARGS,
    EXAMPLE,
    HTTP,
    ROUTING,
    SCHEDULER,
    ConfigFinding,
    at_path,
    error,
    errors_at,
)
from cluster.drop_invalid_parts import Repaired, repaired
from models.yaml_file import BadYaml, Keys, read_yaml
from runtime.config import GatewayConfig, read_config
from runtime.config_problems import given, one_line, problems
from runtime.config_types import LOOPBACK, Host, Port
from runtime.errors import ConfigError

LOCAL_PROFILE = Path(__file__).parent / "local.yaml"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
# Of a pool that lacks them, or has something else there: with a price, nothing is said of that.
MADE_UP = {"model": "", "card": "", "card_usd_per_hour": "1"}


class HttpOptions(BaseModel):
    """What start-up needs of them; Serve checks the rest."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    host: Host = DEFAULT_HOST
    """Address that the endpoint listens on; 0.0.0.0 is every address of the machine."""
    port: Port = DEFAULT_PORT
    """Port that the endpoint listens on."""


@dataclass(frozen=True)
class Profile:
    """The file's content, and the parts of it that start-up looks at. In ``document`` host and
    port are spelt out: Serve's own defaults listen on every address."""

    path: Path
    document: dict[str, Any]
    args: AppArgs
    routing: GatewayConfig
    http: HttpOptions

    @property
    def host(self) -> str:
        return self.http.host

    @property
    def port(self) -> int:
        return self.http.port

    def moved(self, port: int, free_ports: list[int]) -> Profile:
        """The same application on ``port``, its side ports on free ones."""
        document = _deep_copy(self.document)
        document.setdefault("http_options", {})["port"] = port
        app = document["applications"][0]
        routing = app["deployments"][0]["user_config"]
        if self.args.stand_in is not None:
            old, new = self.args.stand_in.port, free_ports[0]
            app["args"]["stand_in"]["port"] = new
            for provider in routing.get("providers", {}).values():
                url = urlsplit(provider["base_url"])
                if url.hostname in (*LOOPBACK, self.args.stand_in.host) and url.port == old:
                    place = url.netloc.removesuffix(f":{old}")
                    provider["base_url"] = urlunsplit(url._replace(netloc=f"{place}:{new}"))
        if self.routing.telemetry.metrics_port is not None:
            routing["telemetry"]["metrics_port"] = free_ports[1]
        return parse(self.path, document)


def load(path: Path) -> Profile:
    """ConfigError says in one line what is wrong with the file and where."""
    try:
        document = read_yaml(path).content
    except BadYaml as error:
        raise ConfigError(f"{path} {error}") from None
    return parse(path, document)


def parse(path: Path, document: Any) -> Profile:
    """The same of a file's content."""
    parts = read_parts(document)
    profile = parts.profile(path)
    if profile is None:
        raise ConfigError(f"{path}: {one_line(parts.findings)}")
    return profile


@dataclass(frozen=True)
class Parts:
    """The parts of a file that are what they should be, and what is wrong with the others.

    ``pools`` are those of ``args`` by their number, also where something else in it is wrong.
    ``mended_pools`` and ``mended_routing`` are what is wrong itself, without that: to look further.
    """

    document: Any
    findings: tuple[ConfigFinding, ...] = ()
    args: AppArgs | None = None
    routing: GatewayConfig | None = None
    http: HttpOptions | None = None
    pools: Mapping[int, PoolArgs] = field(default_factory=dict)
    stand_in: StandInArgs | None = None
    mended_pools: Mapping[int, Repaired[PoolArgs]] = field(default_factory=dict)
    mended_routing: Repaired[GatewayConfig] | None = None

    def profile(self, path: Path) -> Profile | None:
        """None while anything is wrong."""
        if self.findings or self.args is None or self.routing is None or self.http is None:
            return None
        document = _deep_copy(self.document)
        document.setdefault("http_options", {}).update(host=self.http.host, port=self.http.port)
        return Profile(path, document, self.args, self.routing, self.http)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that the file sets."""
        found = at_path(self.document, (*APPLICATION, "runtime_env", "env_vars"))
        pairs = found.items() if isinstance(found, dict) else ()
        return {name: value for name, value in pairs if isinstance(value, str)}


def read_parts(document: Any) -> Parts:
    """What the parts refer to is not looked at."""
    if frame := _frame(document):
        return Parts(document, tuple(frame))
    raw = at_path(document, ARGS)
    args, wrong_args = _part(AppArgs, raw, ARGS)
    http, wrong_http = _part(HttpOptions, document.get("http_options", {}), HTTP)
    routing, wrong_routing = read_config(at_path(document, ROUTING))
    findings = wrong_args + wrong_http + errors_at(ROUTING, wrong_routing)
    has_keys = routing is not None and any(each.key_sha256 for each in routing.tenants.values())
    if args is not None and routing is not None and not args.local_key and not has_keys:
        instead = (
            "add one with a key_sha256 (`baseload key` makes a pair), or set local_key: true "
            "under args"
        )
        findings.append(error((*ROUTING, "tenants"), "there is no API key", instead))
    pools, mended = _pools(at_path(raw, ("pools",)))
    stand_in, _ = _part(StandInArgs, at_path(raw, ("stand_in",)), ())
    rest = None if routing is not None else repaired(GatewayConfig, at_path(document, ROUTING))
    return Parts(document, tuple(findings), args, routing, http, pools, stand_in, mended, rest)


def _pools(listed: Any) -> tuple[dict[int, PoolArgs], dict[int, Repaired[PoolArgs]]]:
    """By their number: those that are as they should be, and the others without what is wrong."""
    whole, mended = dict[int, PoolArgs](), dict[int, Repaired[PoolArgs]]()
    for number, each in enumerate(listed if isinstance(listed, list) else ()):
        pool, _ = _part(PoolArgs, each, ())
        if pool is not None:
            whole[number] = pool
        elif (rest := repaired(PoolArgs, each, MADE_UP)) is not None:
            mended[number] = rest
    return whole, mended


def _frame(document: Any) -> list[ConfigFinding]:
    """What keeps `args` and `user_config` from being found."""
    if not isinstance(document, dict):
        return [error((), f"expected a mapping, got {given(document)}", EXAMPLE)]
    for path, what in ((APPLICATION, "application"), (SCHEDULER, "deployment, Scheduler")):
        listed = at_path(document, path[:-1])
        if not isinstance(listed, list) or len(listed) != 1:
            got = f"{len(listed)} of them" if isinstance(listed, list) else given(listed)
            return [error(path[:-1], f"expected a list of one {what}, got {got}", EXAMPLE)]
        if not isinstance(listed[0], dict):
            return [error(path, f"expected a mapping, got {given(listed[0])}", EXAMPLE)]
    name = at_path(document, (*SCHEDULER, "name"))
    if name != "Scheduler":
        path = (*SCHEDULER, "name")
        return [error(path, f"expected Scheduler, got {given(name)}", EXAMPLE, given(name))]
    return [
        error(path, "is missing", EXAMPLE)
        for path in (ARGS, ROUTING)
        if at_path(document, path) is None
    ]


PartT = TypeVar("PartT", bound=BaseModel)


def _part(model: type[PartT], data: Any, at: Keys) -> tuple[PartT | None, list[ConfigFinding]]:
    try:
        return model.model_validate(data), []
    except ValidationError as refused:
        return None, errors_at(at, problems(refused, model))


def _deep_copy(document: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = yaml.safe_load(yaml.safe_dump(document))
    return copy
