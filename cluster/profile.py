"""A Serve config file as `baseload serve` reads it: checked as a whole before Ray starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError

from cluster.arguments import AppArgs
from models.yaml_file import BadYaml, read_yaml
from runtime.config import GatewayConfig, load_config
from runtime.errors import ConfigError
from runtime.problems import describe

LOCAL_PROFILE = Path(__file__).parent / "local.yaml"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000


class _HttpOptions(BaseModel):
    """What start-up needs of them; Serve checks the rest."""

    host: str = DEFAULT_HOST
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535)


@dataclass(frozen=True)
class Profile:
    """The file's content, and the parts of it that start-up looks at."""

    path: Path
    document: dict[str, Any]
    args: AppArgs
    routing: GatewayConfig
    http: _HttpOptions

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
            host, old, new = self.args.stand_in.host, self.args.stand_in.port, free_ports[0]
            app["args"]["stand_in"]["port"] = new
            for provider in routing.get("providers", {}).values():
                url = provider["base_url"].replace(f"//{host}:{old}/", f"//{host}:{new}/")
                provider["base_url"] = url
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
    try:
        (app,) = document["applications"]
        (scheduler,) = app["deployments"]
        args, routing = app["args"], scheduler["user_config"]
        if scheduler["name"] != "Scheduler":
            raise KeyError("Scheduler")
    except (TypeError, KeyError, ValueError, IndexError):
        raise ConfigError(
            f"{path} must hold one application with `args` and one deployment `Scheduler` with "
            "`user_config`; cluster/local.yaml is an example"
        ) from None
    try:
        checked = AppArgs.model_validate(args)
    except ValidationError as error:
        raise ConfigError(f"{path}: args: {describe(error, AppArgs)}") from None
    try:
        http = _HttpOptions.model_validate(document.get("http_options", {}))
    except ValidationError as error:
        raise ConfigError(f"{path}: http_options: {describe(error, _HttpOptions)}") from None
    try:
        config = load_config(routing)
    except ConfigError as error:
        raise ConfigError(f"{path}: user_config: {error.message}") from None
    if not checked.local_key and not config.tenants:
        raise ConfigError(
            f"{path} names no API key: add a tenant with a key_sha256 (`baseload key` makes a "
            "pair) under user_config, or set local_key: true under args"
        )
    return Profile(path, document, checked, config, http)


def _deep_copy(document: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = yaml.safe_load(yaml.safe_dump(document))
    return copy
