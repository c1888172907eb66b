"""Wrong files: the frame, and what runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.checks.wrong import GONE, Wrong, maybe

POOL = "applications[0].args.pools[0]"
SCHEDULER = "applications[0].deployments[0]"
QWEN = {"pool.model": "qwen3-32b", "pool.card": "cpu", "pool.card_usd_per_hour": "0.05"}
BOUNDS = {"replicas_min": 1, "replicas_max": 4, "prometheus": "http://127.0.0.1:9090"}
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "max_position_embeddings": 40_960,
}


def folder(*files: str, **config: Any) -> Any:
    """A checkpoint folder with these files, each of them empty but config.json."""

    def make(into: Path) -> Mapping[str, Any]:
        at = into / "checkpoint"
        at.mkdir()
        for name in files:
            (at / name).write_text("{}")
        (at / "config.json").write_text(json.dumps(CONFIG | config))
        return {"pool.checkpoint": str(at)}

    return make


def laughs(written: str) -> str:
    more = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    return f"{written}\nl0: &l0 [x]\n{more}\n"


def twice(written: str) -> str:
    provider = "{base_url: https://api.example.com/v1, key_env: K, offers: {tiny-moe: x}}"
    return re.sub(r"( *)providers:", rf"\1providers:\n\1  stand-in: {provider}", written)


FRAME = [
    Wrong("not YAML", "", "is not YAML", text=lambda written: written + "\n[1,"),
    Wrong("not UTF-8", "", "is not UTF-8 text", text=lambda written: b"\xff\xfe" + b"x"),
    Wrong(
        "a date that is none",
        "",
        "is no date",
        {"user.region": "@"},
        text=lambda written: written.replace("'@'", "2026-13-45"),
    ),
    Wrong("two documents", "", "second document", text=lambda written: written + "\n---\na: 1\n"),
    Wrong("aliases of aliases", "", "all its aliases", text=laughs),
    Wrong("no mapping", "", "expected a mapping, got a list", text=lambda written: "[1, 2]"),
    Wrong("an empty file", "", "expected a mapping, got nothing", text=lambda written: ""),
    Wrong(
        "a provider twice",
        f"{SCHEDULER}.user_config.providers.stand-in",
        "stands twice",
        text=twice,
    ),
    Wrong(
        "two applications",
        "applications",
        "a list of one application, got 2",
        {"applications": [{}, {}]},
    ),
    Wrong(
        "another deployment",
        f"{SCHEDULER}.name",
        "expected Scheduler, got 'Engine'",
        {"scheduler.name": "Engine"},
    ),
    Wrong("no user_config", f"{SCHEDULER}.user_config", "is missing", {"user": GONE}),
    Wrong(
        "a misspelt section",
        "http_optoins",
        "did you mean http_options",
        {"http_optoins": {"host": "127.0.0.1"}},
    ),
    Wrong(
        "a misspelt host",
        "http_options.hots",
        "did you mean host",
        {"http_options.hots": "127.0.0.1"},
    ),
    Wrong(
        "a port that is none", "http_options.port", "at most 65535", {"http_options.port": 70_000}
    ),
    Wrong("an IPv6 host", "http_options.host", "IPv6", {"http_options.host": "::1"}),
    Wrong(
        "another machine's address",
        "http_options.host",
        "is no address of this machine",
        {"http_options.host": "203.0.113.7"},
    ),
    Wrong("TLS", "http_options.ssl_keyfile", "plain HTTP", {"http_options.ssl_keyfile": "/k.pem"}),
    Wrong(
        "another import path",
        "applications[0].import_path",
        "cluster.application:build",
        {"app.import_path": "cluster.aplication:build"},
    ),
    Wrong(
        "a route prefix",
        "applications[0].route_prefix",
        "route_prefix: /",
        {"app.route_prefix": "/llm"},
    ),
    Wrong(
        "no proxy", "proxy_location", "nothing would take requests", {"proxy_location": "Disabled"}
    ),
    Wrong(
        "a variable that is no text",
        "applications[0].runtime_env.env_vars.N",
        "in quotes",
        {"app.runtime_env.env_vars.N": 0},
    ),
    Wrong(
        "two Schedulers by Serve",
        f"{SCHEDULER}.num_replicas",
        "more than one Scheduler",
        {"scheduler.num_replicas": 2},
    ),
    Wrong(
        "Schedulers that scale",
        f"{SCHEDULER}.autoscaling_config",
        "more than one Scheduler",
        {"scheduler.autoscaling_config": {"min_replicas": 1, "max_replicas": 3}},
    ),
    Wrong(
        "the Scheduler's environment",
        f"{SCHEDULER}.ray_actor_options",
        "replaces",
        {"scheduler.ray_actor_options": {"num_cpus": 1}},
    ),
]

ARGS = [
    Wrong("an unknown model", f"{POOL}.model", "did you mean tiny-moe", {"pool.model": "tiny-mo"}),
    Wrong("an unknown card", f"{POOL}.card", "did you mean h200", {"pool.card": "H200"}),
    Wrong("an unknown engine field", f"{POOL}.engine.contxt_tokens_max",
          "did you mean context_tokens_max", {"pool.engine.contxt_tokens_max": 5}),
    Wrong("an unknown field", "applications[0].args.poools", "did you mean pools",
          {"args.poools": []}),
    Wrong("no card", f"{POOL}.card", "is missing", {"pool.card": GONE}),
    Wrong("no replicas", f"{POOL}.replicas", "at least 1, got 0", {"pool.replicas": 0}),
    Wrong("TP 7", f"{POOL}.engine", "do not divide by TP 7", {"pool.engine.tensor_parallel": 7}),
    Wrong("a context beyond the model's", f"{POOL}.engine.context_tokens_max", "at most 40960",
          QWEN | {"pool.engine.context_tokens_max": 400_000}, make=folder()),
    Wrong("too few KV blocks", f"{POOL}.engine.kv_blocks", "at least 33",
          {"pool.engine.kv_blocks": 32}),
    Wrong("a batch below what runs", f"{POOL}.engine.max_num_batched_tokens",
          "less than max_num_seqs",
          {"pool.engine.max_num_batched_tokens": 16, "pool.engine.max_num_seqs": 32}),
    Wrong("experts of a dense model", f"{POOL}.engine", "this model is dense",
          QWEN | {"pool.engine.expert_parallel": True}, make=folder()),
    Wrong("a model in the engine", f"{POOL}.engine.model", "write model beside engine",
          {"pool.engine.model": "other"}),
    Wrong("CUDA on CPUs", f"{POOL}.engine.device", "reserves no card",
          {"pool.engine.device": "cuda"}),
    Wrong("a misspelt flag", f"{POOL}.engine.vllm_flags.kv-cache-dtyp",
          "kv-cache-dtype,", {"pool.engine.vllm_flags": {"kv-cache-dtyp": "fp8"}}),
    Wrong("a flag's wrong value", f"{POOL}.engine.vllm_flags.dtype", "invalid choice: 'float31'",
          {"pool.engine.vllm_flags": {"dtype": "float31"}}),
    Wrong("an engine that vLLM refuses", f"{POOL}.engine.vllm_flags.gpu-memory-utilization",
          "less than or equal to 1",
          {"pool.engine.vllm_flags": {"gpu-memory-utilization": 1.5}}),
    Wrong("a block size that no kernel has", f"{POOL}.engine.vllm_flags.block-size",
          "No common block size for 7", {"pool.engine.vllm_flags": {"block-size": 7},
                                         "pool.engine.kv_blocks": 1024}),
    Wrong("a flag with a field", f"{POOL}.engine.vllm_flags.tensor-parallel-size",
          "write tensor_parallel", {"pool.engine.vllm_flags": {"tensor-parallel-size": 2}}),
    Wrong("foreign code", f"{POOL}.engine.vllm_flags.trust-remote-code", "may not be given",
          {"pool.engine.vllm_flags": {"trust-remote-code": True}}),
    Wrong("an unknown parser", f"{POOL}.engine.tool_parser", "did you mean hermes",
          {"pool.engine.tool_parser": "hermez"}),
    Wrong("the stand-in's flag", "applications[0].args.stand_in.engine.vllm_flags.sed", "no flag",
          {"args.stand_in.engine.vllm_flags": {"sed": 1}}),
    Wrong("no checkpoint", f"{POOL}.checkpoint", "qwen3-32b needs its weights", QWEN),
    Wrong("a checkpoint that is not there", f"{POOL}.checkpoint", "does not exist here",
          QWEN | {"pool.checkpoint": "/models/none"}),
    Wrong("a relative checkpoint", f"{POOL}.checkpoint", "an absolute path",
          QWEN | {"pool.checkpoint": "models/qwen"}),
    Wrong("a checkpoint without weights", f"{POOL}.checkpoint", "has no weights", QWEN,
          make=folder("tokenizer.json")),
    Wrong("a checkpoint without a tokenizer", f"{POOL}.checkpoint", "has no tokenizer", QWEN,
          make=folder("model.safetensors")),
    Wrong("a price with a comma", f"{POOL}.card_usd_per_hour", "not '2,30'",
          {"pool.card_usd_per_hour": "2,30"}),
    Wrong("a price below 0", f"{POOL}.card_usd_per_hour", "between 0 and",
          {"pool.card_usd_per_hour": "-2.30"}),
    Wrong("a price that is none", f"{POOL}.card_usd_per_hour", "not 'nan'",
          {"pool.card_usd_per_hour": "nan"}),
    Wrong("a price without quotes", f"{POOL}.card_usd_per_hour", "as a quoted string",
          {"pool.card_usd_per_hour": 2.3}),
    Wrong("a card without a price", f"{POOL}.card", "add what it costs you",
          {"pool.card": "h20-3e"}),
    Wrong("cards that are not here", f"{POOL}.card", "are needed, and this machine has none",
          {"pool.card": "h200", "pool.engine.kv_blocks": GONE}),
    maybe("a price in cents", f"{POOL}.card_usd_per_hour", "is far from the 0.05 USD",
          {"pool.card_usd_per_hour": "5"}),
    Wrong("two pools of a model", "applications[0].args.pools[1].model", "has a pool already",
          {"args.pools": [{"model": "tiny-moe", "card": "cpu"}] * 2}),
    Wrong("two Schedulers", "applications[0].args.schedulers", "expected 1, got 2",
          {"args.schedulers": 2}),
    Wrong("a start beyond its bounds", f"{POOL}.replicas", "between autoscaling.replicas_min",
          {"pool.autoscaling": BOUNDS, "pool.replicas": 5}),
    Wrong("bounds the wrong way round", f"{POOL}.autoscaling.replicas_min", "is more than",
          {"pool.autoscaling": BOUNDS | {"replicas_min": 6}}),
    Wrong("no Prometheus", f"{POOL}.autoscaling.prometheus", "expected http(s)://",
          {"pool.autoscaling": BOUNDS | {"prometheus": "http://"}}),
    Wrong("an engine host that is none", "applications[0].args.engine_host", "without scheme",
          {"args.engine_host": "http://10.0.0.1"}),
    Wrong("the stand-in's port twice", "applications[0].args.stand_in.port", "of requests, too",
          {"args.stand_in.port": "HTTP", "stand-in.base_url": "https://api.example.com/v1",
           "stand-in.key_env": "OTHER"}),
]  # fmt: skip
