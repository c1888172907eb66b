"""That there is one Scheduler, also where a file says otherwise.

Serve lays the `deployments` of a config file over what `build` bound, after it: `num_replicas` and
`autoscaling_config` are first seen by the replicas themselves. One that is there beside another
would price its own part of the demand as if all engines were there for it alone, so it ends with
the reason, which Serve shows as the status of the deployment; the first one serves on. In a
rolling upgrade two are there for a while, and nothing is said.
"""

from __future__ import annotations

import logging
from typing import Any

from ray import serve
from ray.serve.exceptions import RayServeException

from runtime.start_failed import StartFailed

log = logging.getLogger("ray.serve.scheduler")


def refuse_second() -> None:
    """Called by each Scheduler as it starts. StartFailed for all but the first."""
    try:
        context: Any = serve.get_replica_context()
    except RayServeException:  # no replica of Serve: a test
        return
    wanted = _wanted(context._deployment_config)
    if wanted is None:
        return
    why = (
        f"{wanted} would make more than one Scheduler, and each would price its own part of the "
        "demand as if all replicas were there for it alone: leave it out and deploy again"
    )
    if context.rank is not None and context.rank.rank > 0:
        raise StartFailed(f"a second Scheduler is refused, and the first one serves: {why}")
    log.warning("this Scheduler stays the only one: %s", why)


def _wanted(config: Any) -> str | None:
    """What of the deployment asks for more than one; None: nothing."""
    scaling = config.autoscaling_config
    if scaling is not None:
        most = scaling.max_replicas
        return f"autoscaling_config with max_replicas: {most}" if most > 1 else None
    count = config.num_replicas
    return f"num_replicas: {count}" if count is not None and count > 1 else None
