"""The ``args`` of the application in a Serve config file: what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Args(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PoolArgs(_Args):
    """The replicas of one model. ``engine`` holds fields of EngineSettings."""

    model: str
    replicas: int = Field(default=1, ge=1)
    card: str
    card_usd_per_hour: str | None = None  # overrides the catalogue's dated price
    checkpoint: Path | None = None  # None: the tiny model, built here
    engine: dict[str, Any] = Field(default_factory=dict)


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
