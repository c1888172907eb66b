"""The Serve application: ``build`` turns a config file's ``args`` into bound deployments.

What is here restarts replicas when it changes; what requests are routed by is the Scheduler's
``user_config``, which `serve deploy` changes in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ray import serve
from ray.serve import Application

from cluster.application_args import STAND_IN_KEY_ENV, AppArgs, StandInArgs
from cluster.applied_config import Configuration
from cluster.autoscaling import autoscaling_config
from cluster.checks.resolve_pools import TINY_MODEL, Known, ResolvedPool, pool_of, resolve
from cluster.config_finding import refuse_errors
from cluster.engine_deployment import Engine, StandIn
from cluster.ingress import IMPORT_PATH
from cluster.placement_group import placement
from cluster.replica_directory import Directory
from cluster.scheduler_deployment import Scheduler, build_edge
from cluster.state_folder import drain_s_max, state_folder
from models.money import NANO_PER_USD
from models.tiny.checkpoint import ensure_tiny_moe
from runtime.config_problems import describe
from runtime.edge.auth import ensure_local_key, hash_key
from runtime.engine.engine_settings import EngineSettings
from runtime.errors import ConfigError
from runtime.key_hash import LOCAL_TENANT

# Of each replica, after which Serve gives the deployment up: what a predecessor still held as it
# died, a card's memory or a port, is free by the second time; any other cause stays.
START_TRIES = 2

HEALTH: dict[str, Any] = {
    "health_check_period_s": 3,
    "health_check_timeout_s": 30,
    "graceful_shutdown_timeout_s": drain_s_max() + 5,
}
DIRECTORY = serve.deployment(name="Directory", max_ongoing_requests=1000)(Directory)
CONFIGURATION = serve.deployment(
    name="Configuration", max_constructor_retry_count=1, **(HEALTH | {"health_check_period_s": 1})
)(Configuration)
ENGINE = serve.deployment(name="Engine", max_ongoing_requests=1000, **HEALTH)(Engine)
STAND_IN = serve.deployment(name="StandIn", max_constructor_retry_count=START_TRIES, **HEALTH)(
    StandIn
)
# A new Scheduler stands before the old one goes: it needs no card, and without one no request is
# taken. The Directory must stay alone, or renewals would be spread over two.
# The late-binding queue bounds what may wait, so Serve's own bound is out of the way.
# Below warnings, Serve makes a log record of every request even where nobody keeps it.
SCHEDULER = serve.deployment(
    name="Scheduler",
    max_ongoing_requests=100_000,
    max_surge_percent=100,
    logging_config={"log_level": "WARNING", "enable_access_log": False},
    **HEALTH,
)(serve.ingress(build_edge)(Scheduler))


def build(args: dict[str, Any]) -> Application:
    """Serve calls this with the ``args`` of the application in a config file."""
    try:
        wanted = AppArgs.model_validate(args)
    except ValidationError as error:
        raise ConfigError(f"application args: {describe(error, AppArgs)}") from None
    state = state_folder()
    resolved = resolve(wanted, Known.load(), state)
    refuse_errors(resolved.findings)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if resolved.needs_tiny:
        _make_tiny(state)
    directory = DIRECTORY.options(ray_actor_options={"num_cpus": 0}).bind()
    configuration = CONFIGURATION.options(ray_actor_options={"num_cpus": 0}).bind(directory)
    engines = [_engines(pool, wanted, directory) for pool in resolved.pools]
    scheduler_env = {
        # One event loop in the Scheduler's process: chunks do not cross threads.
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": IMPORT_PATH,
    }
    if wanted.stand_in is not None and resolved.stand_in is not None:
        key = ensure_local_key(state / "stand-in-key")
        scheduler_env[STAND_IN_KEY_ENV] = key
        engines.append(_stand_in(wanted.stand_in, resolved.stand_in, key))
    local_keys = {}
    if wanted.local_key:
        local_keys[LOCAL_TENANT] = [hash_key(ensure_local_key(state / "api-key"))]
    options = {"num_cpus": 0, "runtime_env": {"env_vars": scheduler_env}}
    return SCHEDULER.options(num_replicas=wanted.schedulers, ray_actor_options=options).bind(
        [pool_of(pool) for pool in resolved.pools],
        state / "ledger.db",
        local_keys,
        directory,
        [configuration, *engines],
    )


def _engines(found: ResolvedPool, args: AppArgs, directory: Application) -> Application:
    pool, settings = found.args, found.settings
    options = placement(settings, pool.card)
    options["max_constructor_retry_count"] = START_TRIES * pool.replicas
    if pool.autoscaling is None:
        options["num_replicas"] = pool.replicas
    else:
        hour_usd = settings.layout.cards * found.card_hour_nano_usd / NANO_PER_USD
        options["autoscaling_config"] = autoscaling_config(
            pool.autoscaling, pool.model, pool.replicas, hour_usd
        )
    if pool.replicas_per_node_max is not None:
        options["max_replicas_per_node"] = pool.replicas_per_node_max
    return ENGINE.options(name=f"Engine-{pool.model}", **options).bind(
        settings, args.engine_host, directory, drain_s_max()
    )


def _stand_in(args: StandInArgs, settings: EngineSettings, key: str) -> Application:
    actor = {"num_cpus": 0, "runtime_env": {"env_vars": {STAND_IN_KEY_ENV: key}}}
    return STAND_IN.options(ray_actor_options=actor).bind(
        settings, args.host, args.port, STAND_IN_KEY_ENV
    )


def _make_tiny(state: Path) -> None:
    try:
        ensure_tiny_moe(state / TINY_MODEL)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the tiny model cannot be made: {error}") from None
