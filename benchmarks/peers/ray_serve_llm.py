"""Ray Serve LLM as it comes: its own two engines of the same version, its proxy and its ingress.

It stands in front of no other engine, so it is compared with engines that are asked directly at
the same time but are not its own. Its limits are counts of requests; past them it answers 503.
"""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.peers.gateway_setting import Command, GatewaySetting
from benchmarks.peers.peer import Peer
from benchmarks.peers.plain_engines import ENV, NARROW, WIDE, checkpoint, engine_flags
from benchmarks.rig.common import MODEL

# Of what the ``llm`` extra adds to Ray; its vLLM is a build for GPUs, and ours is there.
REQUIREMENTS = ("pyarrow", "jsonref", "hf_transfer", "pandas", "async-timeout")
REPLICAS = 2
# Serve's file of deployments starts no cluster that is its own and listens on loopback only.
LAUNCH = """
import json, sys, time
import ray
from ray import serve
from ray.serve.llm import build_openai_app
given = json.loads(sys.argv[1])
ray.init(
    address="local", _node_ip_address="127.0.0.1", _temp_dir=given["folder"],
    include_dashboard=False, log_to_driver=False, num_cpus=16,
)
serve.start(http_options={"host": "127.0.0.1", "port": given["port"]})
serve.run(build_openai_app({"llm_configs": [given["model"]]}))
while True:
    time.sleep(60)
"""


def model_config(setting: GatewaySetting) -> dict[str, Any]:
    size = WIDE if setting.overload is None else NARROW
    deployment: dict[str, Any] = {"num_replicas": REPLICAS}
    if (overload := setting.overload) is not None:
        deployment["max_ongoing_requests"] = size.running_max
        deployment["max_queued_requests"] = overload.queue_max
    flags = {name.replace("-", "_"): value for name, value in engine_flags(size).items()}
    return {
        "model_loading_config": {"model_id": MODEL, "model_source": str(checkpoint())},
        "accelerator_config": {"kind": "cpu"},
        "placement_group_config": {"bundles": [{"CPU": 1}]},
        "engine_kwargs": flags,
        "deployment_config": deployment,
        "runtime_env": {"env_vars": dict(ENV)},
    }


def command(python: Path, setting: GatewaySetting) -> Command:
    given = {
        "folder": str(setting.folder),
        "port": setting.port,
        "model": model_config(setting),
    }
    env = {"RAY_USAGE_STATS_ENABLED": "0", **ENV}
    return Command((str(python), "-c", LAUNCH, json.dumps(given)), env=env)


def _our_ray() -> tuple[str, ...]:
    try:
        return (f"ray[serve]=={version('ray')}",)
    except PackageNotFoundError:
        return ("ray[serve]",)


CONFIGURED = (
    "two replicas of its own; as many ongoing requests as the engines run, and a queue of what "
    "they end in 2 s; it buys from nobody"
)
RAY_SERVE_LLM = Peer(
    "ray-serve-llm",
    "Ray Serve LLM",
    "ray",
    (*REQUIREMENTS, *_our_ray()),
    command,
    CONFIGURED,
    on_ours=True,
    has_engines=True,
    # Its share in the processes of the engines cannot be told from theirs, and is left out.
    gateway_titles=("ray::ProxyActor", "ray::ServeReplica:default:OpenAiIngress"),
)
