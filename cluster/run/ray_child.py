"""Starts Ray and deploys a Serve config file, then waits to be told to stop.

Run by `baseload serve` as its child. It differs from `serve run` in what it leaves out: Ray's
dashboard, which nobody looks at on a laptop and nobody should reach on a server.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import ray
import yaml
from ray import serve
from ray.serve._private.api import serve_start
from ray.serve._private.client import ServeControllerClient
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ServeDeploySchema

from cluster.application_args import AppArgs
from cluster.machine.capacity import WAIT_ENV, shortage
from cluster.machine.host import this_host
from cluster.machine.inventory import custom_resources, inventory
from cluster.run.config_handover import Follower
from cluster.run.ray_failure import in_words
from cluster.run.run_files import beside
from cluster.run.start_report import Reporter
from cluster.run.start_watch import RAY
from cluster.serve_status import failure, statuses
from cluster.state_folder import ADDRESS_FILE, drain_s_max
from runtime.engine.process_setup import die_with_parent
from runtime.start_failed import StartFailed

WATCH_S = 0.25
RUNNING = "RUNNING"
FIND_S_MAX = 2.0  # Serve tells a new handle of its replicas within milliseconds
POLL_S = 0.05
TELL_S_MAX = 5.0
SETTLE_S = 3.0  # for the last frames and bills of what was cut

log = logging.getLogger("ray.serve")


def main() -> None:
    path, parent = Path(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    reporter = Reporter(RAY)
    try:
        _run(path, stop, reporter)
    except StartFailed as error:
        reporter.failed(error)
        raise SystemExit(1) from None
    except Exception as error:
        reporter.failed(StartFailed(in_words(error, this_host())))
        raise


def _run(path: Path, stop: threading.Event, reporter: Reporter) -> None:
    document = yaml.safe_load(path.read_text())
    config = ServeDeploySchema.model_validate(document)
    context = ray.init(
        address="local",  # a Ray of its own, whatever else runs here or once did
        namespace="serve",
        include_dashboard=False,
        log_to_driver=True,
        resources=custom_resources(inventory()),
    )
    address_file = beside(path, ADDRESS_FILE)
    address_file.write_text(context.address_info["gcs_address"])
    try:
        _check_capacity(document, ray.cluster_resources())
        client = serve_start(
            http_options=config.http_options.model_dump(), proxy_location=config.proxy_location
        )
        client.deploy_apps(config, _blocking=False)
        threading.Thread(target=_watch, args=(client, reporter), daemon=True).start()
        follower = Follower(path, ServeReceiver(client, document))
        ended = partial(stop.wait, WATCH_S)
        threading.Thread(target=follower.follow, args=(ended,), daemon=True).start()
        reporter.ready()
        stop.wait()
        drain(client)
    finally:
        address_file.unlink(missing_ok=True)
        serve.shutdown()
        ray.shutdown()


class ServeReceiver:
    """Applies to the application of ``document`` what was handed over. Serve calls `reconfigure`
    of the Scheduler that runs: nothing else is deployed anew."""

    def __init__(self, client: ServeControllerClient, document: dict[str, Any]) -> None:
        self._client = client
        self._document = document

    def apply(self, user_config: dict[str, Any]) -> None:
        deployment = self._document["applications"][0]["deployments"][0]
        config = {**deployment, "user_config": user_config}
        app = {**self._document["applications"][0], "deployments": [config]}
        schema = ServeDeploySchema.model_validate({**self._document, "applications": [app]})
        self._client.deploy_apps(schema, _blocking=False)

    def refuse(self, errors: list[str]) -> None:
        name = self._document["applications"][0].get("name", "default")
        try:
            serve.get_app_handle(name).refuse_file.remote(errors).result(timeout_s=TELL_S_MAX)
        except (ray.exceptions.RayError, RayServeException, TimeoutError) as error:
            log.warning("the Scheduler was not told of a refused file: %s", error)


def drain(client: ServeControllerClient) -> None:
    """Serve would end its proxy at once, and with it every answer under way.

    Whatever Serve says of the application: it is "deploying" for a moment after its engines serve,
    and "unhealthy" while one of several is started again.
    """
    try:
        for each in client.list_serve_statuses():
            ask = serve.get_app_handle(each.name).drain
            drained = ask.remote()
            if _is_there(ask):
                drained.result(timeout_s=drain_s_max() + SETTLE_S)
            else:
                drained.cancel()
    except (ray.exceptions.RayError, RayServeException, TimeoutError) as error:
        log.warning("not drained: %s", error)


def _is_there(handle: DeploymentHandle[Any]) -> bool:
    """Has it a replica that could answer? A stop while it starts finds none."""
    deadline_s = time.monotonic() + FIND_S_MAX
    while not handle.running_replicas_populated():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def _check_capacity(document: dict[str, Any], held: Mapping[str, float]) -> None:
    args = AppArgs.model_validate(document["applications"][0]["args"])
    missing = shortage(args.pools, held)
    if missing is not None and os.environ.get(WAIT_ENV) != "1":
        raise StartFailed(missing)


def _watch(client: ServeControllerClient, reporter: Reporter) -> None:
    """Until the application runs, or does not: Serve itself would go on trying."""
    clock = threading.Event()
    while not clock.wait(WATCH_S):
        try:
            overviews = client.list_serve_statuses()
        except ray.exceptions.RayError as error:
            log.warning("Serve's controller did not answer: %s", error)
            continue
        found = failure(statuses(overviews))
        if found is not None:
            reporter.failed(found)
            return
        if overviews and all(each.app_status.status == RUNNING for each in overviews):
            return


if __name__ == "__main__":
    main()
