"""LiteLLM's proxy: past a number of parallel requests per engine it falls back to the provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmarks.peers.gateway_setting import Command, GatewaySetting
from benchmarks.peers.peer import Peer
from benchmarks.rig.common import MODEL, Target

KEY = "sk-peers"
PROVIDER_MODEL = "bought"
REQUIREMENTS = ("litellm[proxy]!=1.107.0",)  # that release was not the authors'
ENV = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches prices, and waits for them
}


def config(setting: GatewaySetting) -> dict[str, Any]:
    models = [_deployment(MODEL, engine) for engine in setting.engines]
    router: dict[str, Any] = {"routing_strategy": "simple-shuffle", "num_retries": 0}
    if (overload := setting.overload) is not None:
        for each in models:
            share = overload.running_max // len(setting.engines)
            each["litellm_params"]["max_parallel_requests"] = share
            # What has no first token by then is tried elsewhere.
            each["litellm_params"]["stream_timeout"] = overload.queue_s_max
        models.append(_deployment(PROVIDER_MODEL, overload.provider))
        router["fallbacks"] = [{MODEL: [PROVIDER_MODEL]}]
        router["disable_cooldowns"] = True  # an engine that is full is not broken
    return {
        "model_list": models,
        "router_settings": router,
        "litellm_settings": {"telemetry": False, "request_timeout": 60},
        "general_settings": {"master_key": KEY},
    }


def _deployment(name: str, target: Target) -> dict[str, Any]:
    params = {
        "model": f"hosted_vllm/{MODEL}",
        "api_base": target.base_url,
        "api_key": target.key,
    }
    return {"model_name": name, "litellm_params": params}


def command(python: Path, setting: GatewaySetting) -> Command:
    file = setting.folder / "litellm.yaml"
    file.write_text(yaml.safe_dump(config(setting)))
    argv = [str(python.parent / "litellm"), "--config", str(file), "--host", "127.0.0.1"]
    argv += ["--port", str(setting.port), "--num_workers", "1"]
    return Command(tuple(argv), KEY, ENV)


CONFIGURED = (
    "one worker process; as many parallel requests as the engines run, and 2 s to the first token; "
    "what is beyond falls back to the provider"
)
LITELLM = Peer(
    "litellm",
    "LiteLLM proxy",
    "litellm",
    REQUIREMENTS,
    command,
    CONFIGURED,
    newest=("litellm!=1.107.0",),
)
