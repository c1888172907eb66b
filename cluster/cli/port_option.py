"""The option --port: refused by its own name, not as a line of a file."""

from __future__ import annotations

from runtime.errors import ConfigError

PORT_MAX = 65_535


def check_port(port: int | None) -> None:
    if port is not None and not 1 <= port <= PORT_MAX:
        raise ConfigError(f"--port {port}: expected 1 to {PORT_MAX}")
