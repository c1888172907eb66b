"""vllm-router, in Rust, has no provider to turn to: past its limits callers wait, then get 429."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.gateway_setting import Command, GatewaySetting
from benchmarks.peers.peer import Peer


def command(python: Path, setting: GatewaySetting) -> Command:
    argv = [str(python), "-m", "vllm_router.launch_router", "--host", "127.0.0.1"]
    argv += ["--port", str(setting.port), "--prometheus-port", str(setting.metrics_port)]
    argv += ["--worker-urls", *(each.base_url.removesuffix("/v1") for each in setting.engines)]
    argv += ["--worker-startup-check-interval", "1", "--log-level", "error"]
    # One prompt for all: its default policy would send it to one engine.
    argv += ["--policy", "round_robin"]
    if (overload := setting.overload) is not None:
        argv += ["--max-concurrent-requests", str(overload.running_max)]
        # Else as many again are let in every second.
        argv += ["--rate-limit-tokens-per-second", "0"]
        argv += ["--queue-size", str(overload.queue_max)]
        argv += ["--queue-timeout-secs", str(overload.queue_s_max)]
    return Command(tuple(argv), ready_path="/health")


CONFIGURED = (
    "round robin; as many concurrent requests as the engines run, the rest queued for up to 2 s; "
    "it lets go of a place when an answer begins, and buys from nobody"
)
VLLM_ROUTER = Peer(
    "vllm-router", "vllm-router", "vllm-router", ("vllm-router",), command, CONFIGURED
)
