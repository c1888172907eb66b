"""The scheduler's settings are sections of the file: each can be set, and left to its default."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from runtime.config import GatewayConfig, load_config
from runtime.errors import ConfigError
from scheduler.settings import Settings, SpillSettings

KEYS = [
    (name, key)
    for name, value in Settings()
    if isinstance(value, BaseModel)
    for key in type(value).model_fields
]


def test_the_queue_bounds_reach_the_scheduler() -> None:
    settings = load_config({"queue": {"requests_max": 3, "wait_ms_max": 50}}).settings()
    assert (settings.queue.requests_max, settings.queue.wait_ms_max) == (3, 50)
    assert settings.queue.tokens_max == Settings().queue.tokens_max


def test_when_and_for_how_much_to_buy_reaches_the_scheduler() -> None:
    tenants = {
        "capped": {"key_sha256": ["0" * 64], "spill_usd_per_hour_max": "0.25"},
        "free": {"key_sha256": ["1" * 64]},
    }
    spill = {
        "usd_per_hour_max": "5",
        "demand_window_ms": 10_000,
        "hysteresis_ms": 1_000,
        "target_load": 0.9,
        "ageing_ms": 2_000,
        "valley_occupancy_max": 0.5,
    }
    settings = load_config({"spill": spill, "tenants": tenants}).settings()
    assert settings == Settings(
        spill=SpillSettings(
            usd_per_hour_max="5",
            demand_window_ms=10_000,
            hysteresis_ms=1_000,
            target_load=0.9,
            ageing_ms=2_000,
            valley_occupancy_max=0.5,
        ),
        tenant_nano_per_hour={"capped": 250_000_000},
    )
    assert settings.spill.usd_per_hour_max == 5_000_000_000


def test_every_section_of_the_scheduler_is_a_section_of_the_file() -> None:
    for name, value in Settings():
        if isinstance(value, BaseModel):
            assert GatewayConfig.model_fields[name].annotation is type(value)


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_every_setting_of_the_scheduler_can_be_set_and_left_to_its_default(
    section: str, key: str
) -> None:
    default = getattr(getattr(Settings(), section), key)
    other: Any = "1.00" if "usd" in key else 0.25 if isinstance(default, float) else 77
    changed = load_config({section: {key: other}}).settings()
    assert getattr(getattr(changed, section), key) == (10**9 if "usd" in key else other) != default
    for name, value in changed:
        if name != section:
            assert value == getattr(Settings(), name)
    assert load_config({section: {key: None}}).settings() == Settings()


@pytest.mark.parametrize(
    ("section", "misspelt", "meant"),
    [
        ("queue", "request_max", "requests_max"),
        ("admission", "kv_headrom", "kv_headroom"),
        ("spill", "usd_per_hour", "usd_per_hour_max"),
        ("circuit_breaker", "open_max_ms", "open_ms_max"),
        ("circuit_breaker", "failure", "failures"),
    ],
)
def test_a_misspelt_setting_is_answered_with_what_was_meant(
    section: str, misspelt: str, meant: str
) -> None:
    for value in (1, None):
        with pytest.raises(ConfigError) as caught:
            load_config({section: {misspelt: value}})
        told = caught.value.message
        assert told.startswith(f"{section}.{misspelt}: is not known here")
        assert meant in told
