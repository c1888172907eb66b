"""A program: Ray Serve with an ingress that serves while the rest of its application starts.

Prints what Serve calls the application, and whether `drain` reached the ingress then.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import ray
from ray import serve
from ray.serve._private.api import serve_start
from ray.serve._private.client import ServeControllerClient
from ray.serve.api import _run

from cluster.run.ray_child import drain

WAIT_S_MAX = 60.0
ASKED = "asked"


class NeverReady:
    def __init__(self) -> None:
        threading.Event().wait()


class Ingress:
    def __init__(self, _needs: Any) -> None:
        pass

    async def drain(self) -> None:
        ray.experimental.internal_kv._internal_kv_put(ASKED, b"1")


FREE = serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 0})


def was_asked() -> bool:
    return ray.experimental.internal_kv._internal_kv_get(ASKED) is not None


def wait_for_ingress(client: ServeControllerClient) -> str:
    deadline_s = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < deadline_s:
        (app,) = client.list_serve_statuses()
        if {"Ingress": "HEALTHY"}.items() <= {
            each.name: each.status.value for each in app.deployment_statuses
        }.items():
            return str(app.app_status.status.value)
        time.sleep(0.1)
    raise SystemExit("the ingress did not start")


def main() -> None:
    ray.init(address="local", namespace="serve", include_dashboard=False, num_cpus=1)
    client = serve_start()
    _run(FREE(Ingress).bind(FREE(NeverReady).bind()), _blocking=False, name="app")
    print("application:", wait_for_ingress(client))
    drain(client)
    print("drained:", was_asked(), flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
