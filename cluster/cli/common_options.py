"""Options that several commands have: the help, name and default of each stand once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.cli.typer_options import argument, option
from cluster.profile import LOCAL_PROFILE
from runtime.errors import ConfigError

PORT_MAX = 65_535


def config_file() -> Path:
    return argument("A Serve config file.", LOCAL_PROFILE)


def port(help: str) -> int | None:
    return option(help, None)


def check_port(port: int | None) -> None:
    """Refused by the option's own name, not as a line of a file."""
    if port is not None and not 1 <= port <= PORT_MAX:
        raise ConfigError(f"--port {port}: expected 1 to {PORT_MAX}")


def json_output(help: str = "One JSON document.") -> bool:
    return option(help, False, "--json")


def report_page() -> Path | None:
    return option("Write a page with plots to this .html file.", None)


@dataclass(frozen=True, slots=True)
class JsonOption:
    """The options of a command that has no other."""

    as_json: bool = json_output()
