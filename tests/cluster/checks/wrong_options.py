"""Wrong files: options of Serve itself, and what this machine lacks for them."""

from __future__ import annotations

from tests.cluster.checks.wrong import Wrong, maybe

APP = "applications[0]"
POOL = f"{APP}.args.pools[0]"
ENV = f"{APP}.runtime_env"

# fmt: off
OPTIONS = [
    Wrong("packages that Ray installs", f"{ENV}.pip", "the environment is built beforehand",
          {"app.runtime_env": {"pip": ["no-such-package-zzz"]}}),
    Wrong("packages that uv installs", f"{ENV}.uv", "requirements/",
          {"app.runtime_env": {"uv": ["x"]}}),
    Wrong("an environment of conda", f"{ENV}.conda", "requirements/",
          {"app.runtime_env": {"conda": "base"}}),
    Wrong("an image", f"{ENV}.image_uri", "requirements/",
          {"app.runtime_env": {"image_uri": "docker.io/x/y"}}),
    Wrong("a folder that is downloaded", f"{ENV}.working_dir", "requirements/",
          {"app.runtime_env": {"working_dir": "https://example.com/x.zip"}}),
    Wrong("modules that are downloaded", f"{ENV}.py_modules", "requirements/",
          {"app.runtime_env": {"py_modules": ["https://example.com/x.zip"]}}),
    maybe("a PYTHONPATH that is not there", f"{ENV}.env_vars.PYTHONPATH", "does not exist here",
          {"app.runtime_env": {"env_vars": {"PYTHONPATH": "/no/such/folder"}}}),
    Wrong("a keep-alive below 0", "http_options.keep_alive_timeout_s", "got -5",
          {"http_options.keep_alive_timeout_s": -5}),
    Wrong("a keep-alive without end", "http_options.keep_alive_timeout_s", "seconds",
          {"http_options.keep_alive_timeout_s": 2**40}),
    Wrong("a timeout below 0", "http_options.request_timeout_s", "got -1",
          {"http_options.request_timeout_s": -1}),
    Wrong("gRPC", "grpc_options.grpc_servicer_functions", "plain HTTP",
          {"grpc_options": {"grpc_servicer_functions": ["a.b.c"]}}),
    Wrong("logs that cannot be written", "logging_config.logs_dir", "cannot be written to",
          {"logging_config.logs_dir": "/proc/nope"}),
    Wrong("an application's logs in a file", f"{APP}.logging_config.logs_dir", "cannot be written",
          {"app.logging_config": {"logs_dir": "/etc/hostname/logs"}}),
    Wrong("an exporter that is not there", "tracing_config.exporter_import_path", "be imported",
          {"tracing_config": {"enabled": True, "exporter_import_path": "no.such:thing"}}),
    Wrong("a policy of Serve", f"{APP}.autoscaling_policy", "out of the pools' hands",
          {"app.autoscaling_policy": {"policy_function": "a.b:c"}}),
    Wrong("KV blocks beyond all memory", f"{POOL}.engine.kv_blocks", "GiB of each engine",
          {"pool.engine.kv_blocks": 1_000_000_000}),
    Wrong("engines beyond all memory", f"{POOL}.replicas", "GiB of memory or more",
          {"pool.replicas": 1_000}),
]
# fmt: on
