"""Options of Serve itself that would keep it from starting, or from serving as the file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.config_finding import APPLICATION, HTTP, ConfigFinding, at_path, error, warning
from runtime.config_problems import Path, given

TLS_OPTIONS = ("ssl_keyfile", "ssl_certfile", "ssl_keyfile_password", "ssl_ca_certs")
SECONDS_MAX = 2_000_000  # HAProxy counts its timers in milliseconds, in 31 bits
RUNTIME_ENV: Path = (*APPLICATION, "runtime_env")
# Of `runtime_env`: what installs, downloads or runs nothing.
PLAIN_KEYS = ("env_vars", "config")
BUILT_BEFORE = (
    "leave it out: the environment is built beforehand, from requirements/ or with Dockerfile.cuda"
)


def option_findings(document: Mapping[str, Any]) -> Iterator[ConfigFinding]:
    """What is wrong with the options beside ``args`` and ``deployments``."""
    yield from _http(document)
    yield from _grpc(document)
    yield from _runtime_env(at_path(document, RUNTIME_ENV))
    for name in ("autoscaling_policy", "external_scaler_enabled"):
        if at_path(document, (*APPLICATION, name)):
            wrong = "would take the number of replicas out of the pools' hands"
            instead = "leave it out; a pool that grows has autoscaling under args"
            yield error((*APPLICATION, name), wrong, instead)


def _http(document: Mapping[str, Any]) -> Iterator[ConfigFinding]:
    options = document.get("http_options", {})
    if not isinstance(options, Mapping):
        return
    if "host" not in options:
        wrong = "is not said: `serve run` would listen on every address"
        yield warning((*HTTP, "host"), wrong, "host: 127.0.0.1")
    for name in TLS_OPTIONS:
        if options.get(name):
            wrong = "is not served here: the endpoint speaks plain HTTP"
            yield error((*HTTP, name), wrong, "end TLS in front of it")
    if options.get("root_path"):
        wrong = "moves the paths that a start, its clients and its metrics ask for"
        yield error((*HTTP, "root_path"), wrong, "leave it out")
    yield from _seconds((*HTTP, "keep_alive_timeout_s"), options, at_least=0)
    yield from _seconds((*HTTP, "request_timeout_s"), options, at_least=1)


def _seconds(path: Path, options: Mapping[str, Any], at_least: int) -> Iterator[ConfigFinding]:
    value = options.get(str(path[-1]))
    if not isinstance(value, int | float) or isinstance(value, bool):
        return  # Serve's schema says so
    if not at_least <= value <= SECONDS_MAX:
        wrong = f"expected {at_least} to {SECONDS_MAX} seconds, got {given(value)}"
        yield error(path, wrong, "or leave it out", given(value))


def _grpc(document: Mapping[str, Any]) -> Iterator[ConfigFinding]:
    if at_path(document, ("grpc_options", "grpc_servicer_functions")):
        path = ("grpc_options", "grpc_servicer_functions")
        yield error(path, "is not served here: the endpoint speaks plain HTTP", "leave it out")


def _runtime_env(wanted: Any) -> Iterator[ConfigFinding]:
    if not isinstance(wanted, Mapping):
        return  # Serve's schema says so
    from ray.runtime_env import RuntimeEnv

    foreign = [str(name) for name in wanted if name not in PLAIN_KEYS]
    for name in foreign:
        wrong = "would make Ray build an environment of its own for each start"
        yield error((*RUNTIME_ENV, name), wrong, BUILT_BEFORE)
    variables = wanted.get("env_vars", {})
    if not isinstance(variables, Mapping):
        yield error((*RUNTIME_ENV, "env_vars"), f"expected a mapping, got {given(variables)}")
        return
    for name, value in variables.items():
        if not isinstance(value, str):
            yield error((*RUNTIME_ENV, "env_vars", str(name)), "expected text", "put it in quotes")
            return
    try:
        RuntimeEnv(**{name: wanted[name] for name in PLAIN_KEYS if name in wanted})
    except (TypeError, ValueError) as refused:
        yield error(RUNTIME_ENV, " ".join(str(refused).split())[:300])
