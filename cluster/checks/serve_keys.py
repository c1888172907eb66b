"""The frame of a config file: what Serve itself reads, and what Baseload needs of it.

Serve ignores a key that it does not know, so a misspelt host would open the endpoint to the
network. Here such a key is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError

from cluster.checks.serve_options import option_findings
from cluster.config_finding import (
    APPLICATION,
    EXAMPLE,
    ROUTING,
    SCHEDULER,
    ConfigFinding,
    at_path,
    error,
    errors_at,
    warning,
)
from models.unknown_names import did_you_mean
from runtime.config_problems import UNKNOWN, Path, given, is_secret, known_names, problems

IMPORT_PATHS = ("cluster.application:build", "cluster.application.build")
OPEN_PATHS = frozenset({"args", "user_config", "runtime_env", "ray_actor_options"})


def serve_findings(document: Any) -> list[ConfigFinding]:
    """Nothing about ``args`` and ``user_config`` themselves."""
    # Ray takes a second to import, and only a check needs it in this process.
    from ray.serve.schema import ServeDeploySchema

    if not isinstance(document, Mapping):
        return []  # told as a whole
    findings = [*_unknown(document, (), ServeDeploySchema), *_dates(document, ())]
    try:
        ServeDeploySchema.model_validate(document)
    except ValidationError as refused:
        found = problems(refused, ServeDeploySchema)
        findings += errors_at((), (each for each in found if each.path[:4] != ROUTING))
    except Exception as broken:  # noqa: BLE001 -- Ray's validators trip over some shapes
        why = " ".join(str(broken).split())[:200]
        findings.append(
            error((), f"Serve cannot read it ({type(broken).__name__}: {why})", EXAMPLE)
        )
    findings += [*option_findings(document), *_application(document), *_scheduler(document)]
    if document.get("proxy_location") == "Disabled":
        findings.append(error(("proxy_location",), "is Disabled: nothing would take requests"))
    if document.get("target_capacity") not in (None, 100):
        wrong = "scales every pool, and the start waits for all its replicas"
        findings.append(error(("target_capacity",), wrong, "set replicas, and leave this out"))
    return findings


def _unknown(value: Any, path: Path, schema: type[BaseModel]) -> Iterator[ConfigFinding]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _unknown(each, (*path, index), schema)
    if not isinstance(value, Mapping):
        return
    names = known_names(schema, path)
    for name, inner in value.items():
        here = (*path, str(name))
        if names and name not in names:
            instead = did_you_mean(str(name), names) or f"known are {', '.join(names)}"
            shown = None if is_secret(here) else given(inner)
            yield error(here, f"{UNKNOWN}, and would be ignored", instead, shown)
        elif name not in OPEN_PATHS:
            yield from _unknown(inner, here, schema)


def _dates(value: Any, path: Path) -> Iterator[ConfigFinding]:
    """Serve passes a configuration on as JSON, which has none."""
    if isinstance(value, date):
        wrong = "is a date without quotes, which Serve cannot pass on"
        yield error(path, wrong, f'write "{value.isoformat()}"')
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _dates(inner, (*path, str(name)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _dates(inner, (*path, index))


def _application(document: Mapping[str, Any]) -> Iterator[ConfigFinding]:
    app = at_path(document, APPLICATION)
    if not isinstance(app, Mapping):
        return
    path = app.get("import_path")
    if isinstance(path, str) and path not in IMPORT_PATHS:
        instead = f"import_path: {IMPORT_PATHS[0]}"
        yield error((*APPLICATION, "import_path"), "is not Baseload", instead, given(path))
    prefix = app.get("route_prefix", "/")
    if prefix != "/":
        wrong = "is not where a start and the clients ask"
        yield error((*APPLICATION, "route_prefix"), wrong, "route_prefix: /", given(prefix))


def _scheduler(document: Mapping[str, Any]) -> Iterator[ConfigFinding]:
    deployment = at_path(document, SCHEDULER)
    if not isinstance(deployment, Mapping):
        return
    for name, value in deployment.items():
        path = (*SCHEDULER, str(name))
        if name == "autoscaling_config" or (name == "num_replicas" and value != 1):
            wrong = (
                "would make more than one Scheduler: each would price its own part of the demand "
                "as if all replicas were there for it alone"
            )
            yield error(path, wrong, "leave it out", given(value))
        elif name == "ray_actor_options":
            wrong = "replaces what the Scheduler is started with, its environment among it"
            yield error(path, wrong, "set environment variables in the application's runtime_env")
        elif name not in ("name", "user_config", "num_replicas"):
            yield warning(path, "replaces what Baseload sets itself", "leave it out")
