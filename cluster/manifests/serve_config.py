"""A chosen plan as a file: a Serve config of this application.

Closed unless opened: it listens on loopback and makes a key of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.application_args import AutoscalingArgs
from cluster.manifests.planned_model import Planned
from models.cards import Card
from models.catalogue import Model
from models.layout import CARDS_PER_NODE, Layout
from models.recipes import recipe_env
from models.vllm_flags import Flag
from runtime.engine.allowed_vllm_flags import DERIVED_FLAGS, FIELD_OF_FLAG, PARSER_FIELDS
from runtime.engine.engine_settings import EngineSettings
from runtime.errors import ConfigError

APPLICATION = "baseload"
IMPORT_PATH = "cluster.application:build"
MODELS_FOLDER = Path("/models")
LOOPBACK = "127.0.0.1"
HTTP_PORT, METRICS_PORT = 8000, 8002
TTFT_BUDGET_MS = 2_000


def serve_file(planned: Planned, card_usd_per_hour: str | None = None) -> str:
    """The Serve config of the best layout; ConfigError says why there is none. A card without a
    dated price in the catalogue needs one here, or the pool could not be billed."""
    plan, found = planned.plan, planned.plan.chosen
    if found is None:
        raise ConfigError(f"no layout of {planned.name} does what is asked: nothing to write")
    if planned.model is None:
        raise ConfigError(f"{planned.name} is not in the catalogue: only its models can be served")
    config = serve_config(
        planned.model,
        plan.card,
        found.layout,
        planned.engine_args(found),
        replicas=found.replicas,
        ttft_budget_ms=round(plan.objective.ttft_ms or TTFT_BUDGET_MS),
        card_usd_per_hour=card_usd_per_hour,
    )
    head = (
        f"# {planned.name} on {plan.cards} x {plan.card.name}: {found.replicas} x {found.layout}.\n"
        "# Written by `baseload plan --write`. The weights are expected under the checkpoint.\n"
        "#\n#   baseload serve THIS_FILE\n\n"
    )
    return head + as_yaml(config)


def serve_config(
    model: Model,
    card: Card,
    layout: Layout,
    args: Mapping[str, Flag],
    *,
    replicas: int,
    ttft_budget_ms: int = TTFT_BUDGET_MS,
    card_usd_per_hour: str | None = None,
    autoscaling: AutoscalingArgs | None = None,
) -> dict[str, Any]:
    """``args`` are the engine's flags as `models.planned_vllm_flags` gives them. The checkpoint is
    the repository's name under MODELS_FOLDER."""
    pool: dict[str, Any] = {
        "model": model.model_id,
        "replicas": replicas,
        "card": card.card_id,
        **({"card_usd_per_hour": card_usd_per_hour} if card_usd_per_hour else {}),
        "checkpoint": str(MODELS_FOLDER / model.repo_id),
        "engine": engine_section(layout, args),
    }
    if autoscaling is not None:
        pool["autoscaling"] = autoscaling.model_dump(exclude_unset=True)
    replicas_max = replicas if autoscaling is None else autoscaling.replicas_max
    application = _application(pool, nodes_taken(layout, replicas_max), ttft_budget_ms)
    if env := recipe_env(model.model_id, card.card_id):
        application["runtime_env"] = {"env_vars": env}
    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": LOOPBACK, "port": HTTP_PORT},
        "logging_config": {"enable_access_log": False},
        "applications": [application],
    }


def _application(pool: Mapping[str, Any], nodes: int, ttft_budget_ms: int) -> dict[str, Any]:
    return {
        "name": APPLICATION,
        "route_prefix": "/",
        "import_path": IMPORT_PATH,
        "args": {
            "local_key": True,
            # Schedulers reach the engines of other nodes at those nodes' addresses.
            **({"engine_host": LOOPBACK} if nodes == 1 else {}),
            "pools": [pool],
        },
        "deployments": [
            {
                "name": "Scheduler",
                "user_config": {
                    "region": "local",
                    "ttft_budget_ms": ttft_budget_ms,
                    "telemetry": {"metrics_port": METRICS_PORT},
                },
            }
        ],
    }


def nodes_taken(layout: Layout, replicas: int) -> int:
    """A replica is a part of one node, or takes several whole."""
    if layout.nodes > 1:
        return layout.nodes * replicas
    return -(-replicas // (layout.cards_per_node // layout.cards))


def engine_section(layout: Layout, args: Mapping[str, Flag]) -> dict[str, Any]:
    """Flags under their names in EngineSettings; what has none there goes to ``vllm_flags``."""
    section: dict[str, Any] = {}
    rest: dict[str, Flag] = {}
    for flag, value in args.items():
        field = FIELD_OF_FLAG.get(flag)
        if field is not None:
            section[field] = value
        elif flag not in DERIVED_FLAGS | PARSER_FIELDS.keys():
            rest[flag] = value
    if layout.cards_per_node != CARDS_PER_NODE:
        section["cards_per_node"] = layout.cards_per_node
    planned = {name: value for name, value in section.items() if not _is_usual(name, value)}
    return planned | ({"vllm_flags": rest} if rest else {})


def _is_usual(name: str, value: Flag) -> bool:
    """Sizes that are 1 and switches that are off need no line; limits are always spelt out."""
    if name == "tensor_parallel" or not name.endswith("_parallel"):
        return False
    return bool(value == EngineSettings.model_fields[name].default)


def as_yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Lists indented, and text of several lines as a block: a config inside a manifest can be
    read."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar(
            "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
        )


_Dumper.add_representer(str, _Dumper.represent_text)
