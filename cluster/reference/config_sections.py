"""The sections of a configuration file, each with an example that a check accepts."""

from __future__ import annotations

from cluster.application_args import AppArgs, AutoscalingArgs, PoolArgs, StandInArgs
from cluster.profile import HttpOptions
from cluster.reference.config_example import Section
from cluster.reference.config_law import WHICH_LAWS
from cluster.reference.config_rules import WHICH_MODELS
from runtime.config import (
    GatewayConfig,
    HttpConfig,
    StreamConfig,
    TelemetryConfig,
)
from runtime.config_provider import OfferConfig, ProviderConfig
from runtime.config_tenant import TenantConfig, TenantDefaults
from runtime.engine.engine_settings import EngineSettings
from scheduler.settings import (
    AdmissionSettings,
    CircuitBreakerSettings,
    QueueSettings,
    SpillSettings,
)

WHAT_RUNS = (
    Section(
        "http_options",
        HttpOptions,
        "Serve's own options, of which a start needs these two; `baseload serve --port` overrides "
        "the port. Without a host, `serve run` listens on every address.",
        "http_options:\n  host: 0.0.0.0\n  port: 8000\n",
    ),
    Section(
        "args",
        AppArgs,
        "What runs.",
        """\
args:
  local_key: true
  engine_host: 127.0.0.1
  pools:
    - { model: tiny-moe, card: cpu }
""",
    ),
    Section(
        "args.pools",
        PoolArgs,
        "A list: the replicas of one model each.",
        """\
args:
  pools:
    - model: gpt-oss-120b
      replicas: 4
      card: h200
      card_usd_per_hour: "2.30"
      checkpoint: /models/openai/gpt-oss-120b
""",
    ),
    Section(
        "args.pools.engine",
        EngineSettings,
        "In brackets vLLM's own flag for the same. A layout takes `tensor_parallel` times "
        "`pipeline_parallel` cards for each of `data_parallel` ranks. `baseload plan MODEL --write "
        "FILE` works these out.",
        """\
args:
  pools:
    - model: deepseek-v3.2
      card: h200
      checkpoint: /models/deepseek-ai/DeepSeek-V3.2
      engine:
        context_tokens_max: 163840
        max_num_seqs: 100
        max_num_batched_tokens: 8192
        tensor_parallel: 8
        expert_parallel: true
        vllm_flags:
          gpu-memory-utilization: 0.92
          kv-cache-dtype: fp8
""",
        without=frozenset({"model", "checkpoint"}),  # stand beside `engine`
    ),
    Section(
        "args.pools.autoscaling",
        AutoscalingArgs,
        "A replica is added when an hour of it costs no more than an hour's purchases do, and "
        "taken away when the others would carry the load. Prometheus has to reach the metrics.",
        """\
args:
  pools:
    - model: gpt-oss-120b
      replicas: 2
      card: h200
      checkpoint: /models/openai/gpt-oss-120b
      autoscaling:
        replicas_min: 1
        replicas_max: 8
        prometheus: http://prometheus:9090
user_config:
  telemetry: { metrics_host: 0.0.0.0, metrics_port: 8002 }
""",
    ),
    Section(
        "args.stand_in",
        StandInArgs,
        "Its provider has `key_env: BASELOAD_STAND_IN_KEY`, which the start sets.",
        """\
args:
  stand_in:
    port: 8001
    engine: { max_num_seqs: 64 }
user_config:
  providers:
    stand-in:
      base_url: http://127.0.0.1:8001/v1
      key_env: BASELOAD_STAND_IN_KEY
      offers: { tiny-moe: { name: tiny-moe, context_tokens_max: 4096 } }
""",
    ),
)
HOW_ROUTED = (
    Section(
        "user_config",
        GatewayConfig,
        "How requests are routed: the configuration of the deployment `Scheduler`.",
        "user_config:\n  ttft_budget_ms: 1500\n",
    ),
    Section(
        "user_config.tenants",
        TenantConfig,
        "By the tenant's name. The tenant of a request comes from its key, never from a header. "
        "How limits count: [api.md](api.md#limits-of-a-tenant).",
        """\
user_config:
  tenants:
    search-team:
      key_sha256: [5d2f8b0f8c6d1c3a4b5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4]
      spill_usd_per_hour_max: "2.00"
      sensitivity_floor: internal
      required: [feature]
      requests_per_min_max: 600
      tokens_per_min_max: 400000
      in_flight_max: 50
""",
    ),
    Section(
        "user_config.tenants.defaults",
        TenantDefaults,
        "Values as in the headers of the same names ([api.md](api.md#what-a-request-says-of-itself)"
        "). Who may say what, and what becomes of it: [compliance.md](compliance.md#who-may-say-"
        "what).",
        """\
user_config:
  compliance: { packs: [gdpr, pdpa-sg] }
  tenants:
    support-chat:
      key_sha256: [5d2f8b0f8c6d1c3a4b5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4]
      is_edge: true
      required: [feature, region]
      defaults: { task: lightweight_chat, sensitivity: pii, cost_tier: premium }
""",
    ),
    Section(
        "user_config.providers",
        ProviderConfig,
        "By the provider's name: external accounts that requests may be bought from.",
        """\
args:
  pools:
    - model: gpt-oss-120b
      card: h200
      checkpoint: /models/openai/gpt-oss-120b
user_config:
  providers:
    deepinfra:
      base_url: https://api.deepinfra.com/v1/openai
      key_env: DEEPINFRA_API_KEY
      allowed_sensitivity: [public]
      requests_per_min_max: 600
      offers: { gpt-oss-120b: openai/gpt-oss-120b }
""",
    ),
    Section(
        "user_config.providers.offers",
        OfferConfig,
        "By the model's catalogue id. An offer without a price in `prices_file`, in "
        "[models/data/prices.yaml](../models/data/prices.yaml) or in the package genai-prices is "
        "never bought.",
        """\
args:
  pools:
    - model: gpt-oss-120b
      card: h200
      checkpoint: /models/openai/gpt-oss-120b
user_config:
  providers:
    deepinfra:
      base_url: https://api.deepinfra.com/v1/openai
      key_env: DEEPINFRA_API_KEY
      offers:
        gpt-oss-120b:
          name: openai/gpt-oss-120b
          context_tokens_max: 131072
          output_tokens_max: 4096
          in_flight_max: 200
""",
    ),
    Section(
        "user_config.queue",
        QueueSettings,
        "Bounds hold for each model's queue by itself.",
        "user_config:\n  queue: { requests_max: 2000, wait_ms_max: 10000 }\n",
    ),
    Section(
        "user_config.admission",
        AdmissionSettings,
        "A replica is filled as far as its engine starts each request at once. The assumed rates "
        "count until a pool has measured its own.",
        "user_config:\n  admission: { kv_headroom: 0.05, report_age_ms_max: 3000 }\n",
    ),
    Section(
        "user_config.spill",
        SpillSettings,
        "The caps of what is bought, and the bid price. What counts against a cap: "
        "[scheduling.md](scheduling.md).",
        'user_config:\n  spill: { usd_per_hour_max: "20.00", valley_occupancy_max: 0.6 }\n',
    ),
    Section(
        "user_config.circuit_breaker",
        CircuitBreakerSettings,
        "One for each replica, each offer and each account.",
        "user_config:\n  circuit_breaker: { failures: 3, open_ms_max: 30000 }\n",
    ),
    Section(
        "user_config.stream",
        StreamConfig,
        "What takes longer has failed: before the first words another target is tried.",
        "user_config:\n  stream: { first_token_ms_max: 120000, inter_token_ms_max: 20000 }\n",
    ),
    Section(
        "user_config.http",
        HttpConfig,
        "CORS: a key is needed all the same.",
        'user_config:\n  http: { allowed_origins: ["https://chat.example.com"] }\n',
    ),
    Section(
        "user_config.telemetry",
        TelemetryConfig,
        "The two keys of the metrics are read as the Scheduler starts; a change of them waits for "
        "its next start. The series: [metrics.md](metrics.md).",
        "user_config:\n  telemetry: { metrics_host: 0.0.0.0, metrics_port: 8002 }\n",
    ),
)
SECTIONS = (*WHAT_RUNS, *HOW_ROUTED, *WHICH_MODELS, *WHICH_LAWS)
