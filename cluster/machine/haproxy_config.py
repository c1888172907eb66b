"""What is changed in the HAProxy configuration that Serve generates: bounds on what a client may
hold without asking for anything, our envelope where HAProxy answers, and no doors but the one.

Serve's own has no bound on the time of a request's head, and lets one address have all connections.
"""

from __future__ import annotations

import re
from pathlib import Path

from runtime.request_limits import LIMITS

# A head that is over the edge's bounds shall reach the edge, which says so: beyond these, and of
# what is no HTTP at all, HAProxy tells its own page, which no configuration can change.
BUFFER_BYTES_MIN = 2 * LIMITS.header_bytes_max
HEADERS_READ_MAX = 5 * LIMITS.headers_max

CONNECTIONS_MAX = 16_384  # each holds two buffers at worst, 1 GiB in all
CONNECTIONS_MIN = 64
SPARE_FILES = 256  # listeners, checks, threads, and what a reload hands over
# Two sockets to a connection, and HAProxy reckons with a pipe of two ends for every fourth.
FILES_PER_CONNECTION = 2.5
CLIENT_GONE_S = 60  # without a sign from its machine, then asked
CLIENT_ASKED_S, CLIENT_ASKED_BOUNDS = 15, 4
ADDRESSES_MAX = 100_000  # that are counted at once
ADDRESS_KEPT_S = 60  # after its last connection
IPV4_BITS, IPV6_BITS = 32, 64  # of an address: whoever has one of IPv6 has 2^64

PAGES = (400, 408)  # beside those that Serve names
METHOD_PAGE, PATH_PAGE, NOT_STARTED_PAGE = 405, 404, 500

_MARK = "    # Changed by Baseload\n"
_BOUNDS = f"""{_MARK}    timeout http-request {LIMITS.head_read_s_max}s
    option http-ignore-probes
    option clitcpka
    clitcpka-idle {CLIENT_GONE_S}s
    clitcpka-intvl {CLIENT_ASKED_S}s
    clitcpka-cnt {CLIENT_ASKED_BOUNDS}
"""


def connections_max(files_max: int) -> int:
    """How many a process with this bound on open files may take: beyond it, it does not start."""
    fitting = int((files_max - SPARE_FILES) / FILES_PER_CONNECTION)
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, fitting))


def connections_per_address(connections: int) -> int:
    """Half of all: nobody can have them all alone, and a proxy for everybody has enough."""
    return connections // 2


def rewritten(text: str, folder: Path, connections: int | None, loopback: tuple[str, ...]) -> str:
    """``connections`` is None where an operator has set how many; the ports of ``loopback`` are
    not for other machines."""
    for port in loopback:
        text = re.sub(rf"^(\s*bind )\*?:{port}$", rf"\g<1>127.0.0.1:{port}", text, flags=re.M)
    if _MARK in text:
        return text
    if connections is not None:
        text = re.sub(r"^(\s*maxconn )\d+$", rf"\g<1>{connections}", text, flags=re.M)
    text = text.replace("mode 666 level admin", "mode 600 level admin")
    text = _with_room_for_heads(text)
    pages = "".join(f"    errorfile {status} {folder}/{status}.http\n" for status in PAGES)
    text = text.replace("    errorfile 502", _BOUNDS + pages + "    errorfile 502", 1)
    return _with_bound_per_address(_with_own_answers(text, folder))


def _with_room_for_heads(text: str) -> str:
    def tuned(found: re.Match[str]) -> str:
        bytes_max = max(int(found[2]), BUFFER_BYTES_MIN)
        return f"{found[1]}tune.bufsize {bytes_max}\n{found[1]}tune.http.maxhdr {HEADERS_READ_MAX}"

    return re.sub(r"^([ \t]*)tune\.bufsize (\d+)$", tuned, text, flags=re.M)


def _with_bound_per_address(text: str) -> str:
    found = re.search(r"^\s*maxconn (\d+)$", text, re.M)
    if found is None:
        return text
    share = connections_per_address(int(found[1]))
    rules = f"""
    stick-table type ipv6 size {ADDRESSES_MAX} expire {ADDRESS_KEPT_S}s store conn_cur
    tcp-request connection track-sc0 src,ipmask({IPV4_BITS},{IPV6_BITS})
    tcp-request connection reject if {{ sc0_conn_cur gt {share} }}"""
    return _after_bind(text, rules)


def _with_own_answers(text: str, folder: Path) -> str:
    """What has no path for a backend to go by is answered here; Serve's list of routes is not."""
    text = _after_bind(
        text,
        f"""
    http-request return status 405 errorfile {folder}/{METHOD_PAGE}.http if METH_CONNECT
    http-request return status 404 errorfile {folder}/{PATH_PAGE}.http unless {{ path_beg / }}
    http-request set-var(txn.asks) req.hdr(upgrade)
    http-after-response set-header connection close if {{ var(txn.asks) -m str -i websocket }}""",
    )
    text = re.sub(r"^\s*http-request return [^\n]* if routes$\n?", "", text, flags=re.M)
    return re.sub(
        r"^(backend default_backend\n\s*)http-request return [^\n]*$",
        rf"\g<1>http-request return status 503 errorfile {folder}/{NOT_STARTED_PAGE}.http",
        text,
        flags=re.M,
    )


def _after_bind(text: str, lines: str) -> str:
    return re.sub(
        r"^(frontend http_frontend\n\s*bind [^\n]*)$",
        lambda found: found[1] + lines,
        text,
        count=1,
        flags=re.M,
    )
