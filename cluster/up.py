"""Starts Ray and deploys a Serve config file, then waits to be told to stop.

Run by `baseload serve` as its child. It differs from `serve run` in what it leaves out: Ray's
dashboard, which nobody looks at on a laptop and nobody should reach on a server.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import ray
import yaml
from ray import serve
from ray.serve._private.api import serve_start
from ray.serve.schema import ServeDeploySchema

from cluster.inventory import custom_resources, inventory
from cluster.state import ADDRESS_FILE
from runtime.engine.lifeline import die_with_parent


def main() -> None:
    path, parent = Path(sys.argv[1]), int(sys.argv[2])
    address_file = path.with_name(ADDRESS_FILE)
    die_with_parent(parent)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    config = ServeDeploySchema.model_validate(yaml.safe_load(path.read_text()))
    context = ray.init(
        address="local",  # a Ray of its own, whatever else runs here or once did
        namespace="serve",
        include_dashboard=False,
        log_to_driver=True,
        resources=custom_resources(inventory()),
    )
    address_file.write_text(context.address_info["gcs_address"])
    try:
        client = serve_start(
            http_options=config.http_options.model_dump(), proxy_location=config.proxy_location
        )
        client.deploy_apps(config, _blocking=False)
        stop.wait()
    finally:
        address_file.unlink(missing_ok=True)
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
