"""The ``args`` of the application in a Serve config file: what runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from runtime.config_types import Host, Port, UsdPerHour
from runtime.problems import given, wrong_at

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


class _Args(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AutoscalingArgs(_Args):
    """Bounds and pace of a pool that grows with what it has to buy: cluster/autoscaling.py."""

    replicas_min: int = Field(default=1, ge=1)
    replicas_max: int = Field(ge=1, le=REPLICAS_MAX)
    prometheus: Annotated[str, AfterValidator(_url)]  # that scrapes the Schedulers
    occupancy_max: float = Field(default=0.7, gt=0, le=1)  # of a pool with one replica fewer
    upscale_delay_s: float = Field(default=900, ge=0)
    downscale_delay_s: float = Field(default=1800, ge=0)


class PoolArgs(_Args):
    """The replicas of one model. ``engine`` holds fields of EngineSettings.

    With ``autoscaling``, ``replicas`` is what the pool starts with. ``replicas_per_node_max`` is
    for replicas that reserve no cards: those that do are spread by their cards.
    """

    SAID_ELSEWHERE: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("price", "usd", "cost"), 'what an hour of a card costs is card_usd_per_hour: "2.30"'
    )

    model: str = Field(max_length=128)
    replicas: int = Field(default=1, ge=1, le=REPLICAS_MAX)
    card: str = Field(max_length=64)
    card_usd_per_hour: UsdPerHour | None = None  # overrides the catalogue's dated price
    # None: the tiny model, built here
    checkpoint: Annotated[Path, AfterValidator(_absolute)] | None = None
    engine: dict[str, Any] = Field(default_factory=dict)
    replicas_per_node_max: int | None = Field(default=None, ge=1, le=100)
    autoscaling: AutoscalingArgs | None = None

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


class StandInArgs(_Args):
    host: Host = "127.0.0.1"
    port: Port
    engine: dict[str, Any] = Field(default_factory=dict)


class AppArgs(_Args):
    pools: list[PoolArgs] = Field(min_length=1)
    stand_in: StandInArgs | None = None
    local_key: bool = False  # make a key for this machine's user, in <state>/api-key
    engine_host: Host | None = None  # None: the node's own address
    schedulers: Annotated[int, AfterValidator(_one)] = 1

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
