"""How many replicas a pool should have, from what Prometheus saw of its Schedulers.

A replica is added when an hour of it costs no more than what an hour's purchases cost, and taken
away when the others would carry the load. The engines see no Serve requests, so Serve's own
request counts say nothing here. Serve keeps to the bounds and the delays, and drains what it
takes away.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from ray.serve.autoscaling_policy import PrometheusQueryMixin
from ray.serve.config import AutoscalingContext

from cluster.application_args import AutoscalingArgs

POLICY = "cluster.autoscaling:SpillPolicy"
WINDOW = "15m"


def spill_query(model: str) -> str:
    """USD per hour that purchases cost."""
    series = f'baseload_cost_usd_total{{model="{model}",place="offer"}}'
    return f"3600 * sum(rate({series}[{WINDOW}]))"


def occupancy_query(model: str) -> str:
    return f'avg(avg_over_time(baseload_occupancy_ratio{{model="{model}"}}[{WINDOW}]))'


def wanted_replicas(
    replicas: int,
    spill_usd_per_hour: float | None,
    occupancy: float | None,
    replica_usd_per_hour: float,
    occupancy_max: float,
) -> int:
    """The number of replicas that a pool should have. None: Prometheus does not know, so nothing
    changes for that reason."""
    if spill_usd_per_hour is not None and spill_usd_per_hour >= replica_usd_per_hour:
        return replicas + 1
    if occupancy is None or spill_usd_per_hour is None:
        return replicas
    is_one_spare = ceil(occupancy * replicas / occupancy_max) < replicas
    return replicas - 1 if is_one_spare else replicas


class SpillPolicy(PrometheusQueryMixin):  # type: ignore[misc]
    """Serve makes one per deployment and asks it at each turn of its controller."""

    def __init__(
        self,
        *,
        model: str,
        replica_usd_per_hour: float,
        occupancy_max: float,
        prometheus_address: str,
    ) -> None:
        self._spill, self._occupancy = spill_query(model), occupancy_query(model)
        self._replica_usd_per_hour = replica_usd_per_hour
        self._occupancy_max = occupancy_max
        super().__init__(
            prometheus_address=prometheus_address,
            prometheus_queries=[self._spill, self._occupancy],
        )

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        seen = self.prometheus_metrics or {}
        spill = seen.get(self._spill)
        if spill is None and self._occupancy in seen:
            spill = 0.0  # a pool that has never bought has no such series
        wanted = wanted_replicas(
            context.target_num_replicas,
            spill,
            seen.get(self._occupancy),
            self._replica_usd_per_hour,
            self._occupancy_max,
        )
        return wanted, {}


def autoscaling_config(
    args: AutoscalingArgs, model: str, replicas: int, replica_usd_per_hour: float
) -> dict[str, Any]:
    """Serve's setting of that name; ``replicas`` is what the pool starts with."""
    return {
        "min_replicas": args.replicas_min,
        "max_replicas": args.replicas_max,
        "initial_replicas": replicas,
        "upscale_delay_s": args.upscale_delay_s,
        "downscale_delay_s": args.downscale_delay_s,
        "policy": {
            "policy_function": POLICY,
            "policy_kwargs": {
                "model": model,
                "replica_usd_per_hour": replica_usd_per_hour,
                "occupancy_max": args.occupancy_max,
                "prometheus_address": args.prometheus,
            },
        },
    }
