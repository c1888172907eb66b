"""The ``args`` of the application in a Serve config file: what runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from models.config_values import ConfigSection, UsdPerHour, written
from runtime.config_problems import given, wrong_at
from runtime.config_types import Host, Port

REPLICAS_MAX = 1_000
STAND_IN_KEY_ENV = "BASELOAD_STAND_IN_KEY"  # set by the start, for Scheduler and stand-in


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("expected an absolute path: engines do not start in your folder")
    return path


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http(s)://host[:port], such as http://prometheus:9090")
    return text


def _one(number: int) -> int:
    if number != 1:
        raise ValueError(
            f"expected 1, got {number}: each Scheduler would price its own part of the demand as "
            "if all replicas were there for it alone"
        )
    return number


class AutoscalingArgs(ConfigSection):
    """Bounds and pace of a pool that grows with what it has to buy: cluster/autoscaling.py."""

    replicas_min: int = Field(default=1, ge=1)
    """Fewest replicas that the pool is shrunk to."""
    replicas_max: int = Field(ge=1, le=REPLICAS_MAX)
    """Most replicas that the pool grows to."""
    prometheus: Annotated[str, AfterValidator(_url), written("http(s)://host[:port]")]
    """Prometheus server that scrapes the Scheduler; what it saw decides."""
    occupancy_max: float = Field(default=0.7, gt=0, le=1)
    """Occupancy up to which a pool with one replica fewer may come for one to be taken away."""
    upscale_delay_s: float = Field(default=900, ge=0)
    """How long a replica must have been worth adding before it is added, in seconds."""
    downscale_delay_s: float = Field(default=1800, ge=0)
    """How long a replica must have been to spare before it is taken away, in seconds."""


class PoolArgs(ConfigSection):
    """The replicas of one model. ``engine`` holds fields of EngineSettings."""

    SAID_ELSEWHERE: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("price", "usd", "cost"), 'what an hour of a card costs is card_usd_per_hour: "2.30"'
    )

    model: str = Field(max_length=128)
    """Catalogue id of the model (docs/models.md), which is the name that clients ask for."""
    replicas: int = Field(default=1, ge=1, le=REPLICAS_MAX)
    """Engines of the model; with `autoscaling`, what the pool starts with."""
    card: str = Field(max_length=64)
    """Type of the cards that a replica reserves, such as h200; `cpu` reserves none."""
    card_usd_per_hour: UsdPerHour | None = None
    """What one card costs you, in USD per hour; none takes the dated price of docs/models.md."""
    checkpoint: Annotated[Path, AfterValidator(_absolute), written("absolute path")] | None = None
    """Folder of the weights on each node; none is for tiny-moe alone, which is made here."""
    engine: dict[str, Any] = Field(default_factory=dict)
    """How each engine is started, by the keys of args.pools.engine."""
    replicas_per_node_max: int | None = Field(default=None, ge=1, le=100)
    """Replicas of `card: cpu` on one node at most; those with cards are spread by their cards."""
    autoscaling: AutoscalingArgs | None = None
    """Bounds and pace of a pool that grows with what it has to buy; none keeps it as it is."""

    @model_validator(mode="after")
    def _spread(self) -> Self:
        if self.replicas_per_node_max is not None and self.card != "cpu":
            wrong = "is for card: cpu; replicas with cards of their own spread by themselves"
            raise wrong_at(("replicas_per_node_max",), wrong)
        return self

    @model_validator(mode="after")
    def _ranks(self) -> Self:
        ranks = self.engine.get("data_parallel", 1)
        if not isinstance(ranks, int) or ranks < 1:
            wrong = f"expected a whole number from 1 on, got {given(ranks)}"
            raise wrong_at(("engine", "data_parallel"), wrong)
        return self

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        bounds = self.autoscaling
        if bounds is None:
            return self
        if bounds.replicas_min > bounds.replicas_max:
            wrong = f"is more than replicas_max, {bounds.replicas_max}"
            raise wrong_at(("autoscaling", "replicas_min"), wrong)
        if not bounds.replicas_min <= self.replicas <= bounds.replicas_max:
            wrong = (
                f"expected a start between autoscaling.replicas_min ({bounds.replicas_min}) and "
                f"replicas_max ({bounds.replicas_max}), got {self.replicas}"
            )
            raise wrong_at(("replicas",), wrong)
        if self.card_usd_per_hour == 0:
            wrong = "is 0: a pool that grows when that is cheaper than to buy would only grow"
            raise wrong_at(("card_usd_per_hour",), wrong)
        return self

    @property
    def targets(self) -> int:
        """Schedulers count each data-parallel rank as a replica."""
        ranks: int = self.engine.get("data_parallel", 1)
        return self.replicas * ranks


class StandInArgs(ConfigSection):
    """An engine of tiny-moe that plays an external vendor, for trials without one."""

    host: Host = "127.0.0.1"
    """Address that the stand-in listens on."""
    port: Port
    """Port that the stand-in listens on; a provider's `base_url` names it."""
    engine: dict[str, Any] = Field(default_factory=dict)
    """How its engine is started, by the keys of args.pools.engine."""


class AppArgs(ConfigSection):
    pools: list[PoolArgs] = Field(min_length=1)
    """The models that are served here, one pool each."""
    stand_in: StandInArgs | None = None
    """An engine that plays an external vendor; none starts none."""
    local_key: bool = False
    """Whether a key for this machine's user is made, in `api-key` of the state folder."""
    engine_host: Host | None = None
    """Address that engines listen on for the Scheduler; none is the node's own address."""
    schedulers: Annotated[int, AfterValidator(_one), written("1")] = 1
    """Schedulers of the endpoint: more than one is not served yet."""

    @model_validator(mode="after")
    def _one_pool_per_model(self) -> Self:
        first: dict[str, int] = {}
        for index, pool in enumerate(self.pools):
            if (before := first.setdefault(pool.model, index)) != index:
                wrong = (
                    f"has a pool already, pools[{before}]: the replicas of one model are one pool"
                )
                raise wrong_at(("pools", index, "model"), wrong)
        return self
