"""The ``args`` of the application in a Serve config file: what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Args(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AutoscalingArgs(_Args):
    """Bounds and pace of a pool that grows with what it has to buy: cluster/autoscaling.py."""

    replicas_min: int = Field(default=1, ge=1)
    replicas_max: int = Field(ge=1)
    prometheus: str = Field(pattern="^https?://")  # that scrapes the Schedulers
    occupancy_max: float = Field(default=0.7, gt=0, le=1)  # of a pool with one replica fewer
    upscale_delay_s: float = Field(default=900, ge=0)
    downscale_delay_s: float = Field(default=1800, ge=0)


class PoolArgs(_Args):
    """The replicas of one model. ``engine`` holds fields of EngineSettings.

    With ``autoscaling``, ``replicas`` is what the pool starts with. ``replicas_per_node_max`` is
    for replicas that reserve no cards: those that do are spread by their cards.
    """

    model: str
    replicas: int = Field(default=1, ge=1)
    card: str
    card_usd_per_hour: str | None = None  # overrides the catalogue's dated price
    checkpoint: Path | None = None  # None: the tiny model, built here
    engine: dict[str, Any] = Field(default_factory=dict)
    replicas_per_node_max: int | None = Field(default=None, ge=1, le=100)
    autoscaling: AutoscalingArgs | None = None

    @model_validator(mode="after")
    def _agrees(self) -> PoolArgs:
        if self.replicas_per_node_max is not None and self.card != "cpu":
            raise ValueError("replicas_per_node_max is for card: cpu; cards spread by themselves")
        ranks = self.engine.get("data_parallel", 1)
        if not isinstance(ranks, int) or ranks < 1:
            raise ValueError(
                f"engine.data_parallel must be a whole number from 1 on, not {ranks!r}"
            )
        bounds = self.autoscaling
        if bounds and not bounds.replicas_min <= self.replicas <= bounds.replicas_max:
            raise ValueError(
                f"replicas ({self.replicas}) must lie between autoscaling.replicas_min "
                f"({bounds.replicas_min}) and replicas_max ({bounds.replicas_max})"
            )
        return self

    @property
    def targets(self) -> int:
        """Schedulers count each data-parallel rank as a replica."""
        ranks: int = self.engine.get("data_parallel", 1)
        return self.replicas * ranks


class StandInArgs(_Args):
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65_535)
    engine: dict[str, Any] = Field(default_factory=dict)


class AppArgs(_Args):
    pools: list[PoolArgs] = Field(min_length=1)
    stand_in: StandInArgs | None = None
    local_key: bool = False  # make a key for this machine's user, in <state>/api-key
    engine_host: str | None = None  # None: the node's own address
    schedulers: int = Field(default=1, ge=1)
