"""What Ray, Serve and HAProxy are told by environment, so that each run has all for itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cluster.machine.haproxy import BINARY_ENV
from cluster.machine.ports import PortRange
from cluster.run import scratch_folder
from cluster.run.ray_address import TOKEN_FILE, existing_token
from cluster.state_folder import DRAIN_ENV, STATE_ENV
from runtime.edge.auth import ensure_local_key
from runtime.run_mark import RUN_ENV

DRAIN_S = 5  # of a run, where the operator sets nothing
CLIENT_S = 120  # without a byte from a client that sends, or to one that should read
PROXY_CHECK_S = 1  # a HAProxy that is gone is started again after three checks


def environment(run_id: str, state: Path) -> dict[str, str]:
    """The environment of any process of the run, on any node; a value that the operator has set
    stays."""
    folder = str(scratch_folder.folder(run_id))
    wanted = {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        BINARY_ENV: str(Path(sys.executable).parent / "baseload-haproxy"),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(max(1, (os.cpu_count() or 1) // 4)),
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": str(CLIENT_S),
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": str(PROXY_CHECK_S),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        **ray_authentication(state),
        "RAY_worker_niceness": "0",  # an engine is not a background job
        DRAIN_ENV: str(DRAIN_S),
    }
    return _unless_set(wanted) | {RUN_ENV: run_id, STATE_ENV: str(state)}


def ports_environment(ports: PortRange) -> dict[str, str]:
    """Every port that has a fixed number in Ray or Serve, from the run's own range."""
    replicas = ports.for_replicas
    names = (
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT",  # shared by whoever binds it, else
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT",
        "RAY_SERVE_HAPROXY_METRICS_PORT",
        "RAY_SERVE_HAPROXY_STATS_PORT",
        "AUTOSCALER_METRIC_PORT",
        "DASHBOARD_METRIC_PORT",
    )
    wanted = {
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(replicas.start),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(replicas.stop - 1),
        **{name: str(port) for name, port in zip(names, ports.single(len(names)), strict=True)},
    }
    return _unless_set(wanted)


def ray_authentication(state: Path) -> dict[str, str]:
    """Ray runs whatever its API is told to, so the API takes this state folder's token only."""
    ensure_local_key(state / TOKEN_FILE)
    return existing_token(state)


def _unless_set(wanted: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if name not in os.environ}
