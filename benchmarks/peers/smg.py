"""SMG, the Shepherd Model Gateway (Rust). For a model that is served here it buys from nobody."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.gateway_setting import Command, GatewaySetting
from benchmarks.peers.peer import Peer


def command(python: Path, setting: GatewaySetting) -> Command:
    argv = [str(python.parent / "smg"), "launch", "--host", "127.0.0.1"]
    argv += ["--port", str(setting.port)]
    argv += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(setting.metrics_port)]
    argv += ["--worker-urls", *(each.base_url.removesuffix("/v1") for each in setting.engines)]
    argv += ["--worker-startup-check-interval", "1", "--log-level", "error"]
    argv += ["--shutdown-grace-period-secs", "1"]
    argv += ["--disable-tokenizer-autoload", "--history-backend", "none"]
    argv += ["--policy", "round_robin"]  # as the others, and as the engines are asked directly
    if (overload := setting.overload) is not None:
        argv += ["--max-concurrent-requests", str(overload.running_max)]
        argv += ["--queue-size", str(overload.queue_max)]
        argv += ["--queue-timeout-secs", str(overload.queue_s_max)]
    return Command(tuple(argv), ready_path="/health")


CONFIGURED = (
    "round robin; as many concurrent requests as the engines run, the rest queued for up to 2 s; "
    "it buys from nobody what is served here"
)
SMG = Peer("smg", "SMG", "smg", ("smg",), command, CONFIGURED)
