from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from models.config_values import WEEK_MS
from scheduler.settings import QueueSettings, Settings

MAY_BE_ZERO = {"deadline_margin_ms", "kv_headroom"}
SECTIONS: dict[str, type[BaseModel]] = {
    name: type(value) for name, value in Settings() if isinstance(value, BaseModel)
}
KEYS = [(section, key) for section, model in SECTIONS.items() for key in model.model_fields]
NUMBERS = [(section, key) for section, key in KEYS if key != "usd_per_hour_max"]


def one(section: str, key: str, value: Any) -> Any:
    """The value of a key that is given alone."""
    return getattr(getattr(Settings.model_validate({section: {key: value}}), section), key)


@pytest.mark.parametrize(("section", "key"), NUMBERS)
def test_defaults_are_valid(section: str, key: str) -> None:
    default = getattr(getattr(Settings(), section), key)
    assert one(section, key, default) == default


@pytest.mark.parametrize(("section", "key"), NUMBERS)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_bound_must_be_positive_or_zero_where_that_means_something(
    section: str, key: str, value: Any
) -> None:
    if value == 0 and key in MAY_BE_ZERO:
        assert one(section, key, value) == 0
        return
    with pytest.raises(ValueError, match=rf"{section}\.{key}\n"):
        one(section, key, value)


@pytest.mark.parametrize(("section", "key"), [each for each in KEYS if "_ms" in each[1]])
def test_a_time_is_a_week_at_most(section: str, key: str) -> None:
    assert one(section, key, WEEK_MS) == WEEK_MS
    with pytest.raises(ValueError, match=rf"{section}\.{key}\n"):
        one(section, key, WEEK_MS + 1)


@pytest.mark.parametrize("key", ["target_load", "valley_occupancy_max"])
def test_a_share_is_one_at_most(key: str) -> None:
    assert one("spill", key, 1) == 1
    with pytest.raises(ValueError, match=key):
        one("spill", key, 1.01)


@pytest.mark.parametrize("headroom", [-0.1, 1.0, float("nan")])
def test_headroom_is_a_share(headroom: float) -> None:
    with pytest.raises(ValueError, match="kv_headroom"):
        one("admission", "kv_headroom", headroom)


@pytest.mark.parametrize("nano", [-1, float("nan")])
def test_a_budget_may_be_zero_but_not_less(nano: Any) -> None:
    assert Settings(tenant_nano_per_hour={"a": 0}).tenant_nano_per_hour["a"] == 0
    with pytest.raises(ValueError, match="tenant_nano_per_hour"):
        Settings(tenant_nano_per_hour={"a": 1, "b": nano})


def test_no_cap_is_none_and_not_zero() -> None:
    assert Settings().spill.usd_per_hour_max is None
    assert one("spill", "usd_per_hour_max", None) is None
    assert one("spill", "usd_per_hour_max", "0") == 0
    assert one("spill", "usd_per_hour_max", "2.50") == 2_500_000_000


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_a_key_without_a_value_has_its_default(section: str, key: str) -> None:
    assert one(section, key, None) == getattr(getattr(Settings(), section), key)


@pytest.mark.parametrize("value", [None, 1])
def test_an_unknown_key_is_refused_with_or_without_a_value(value: Any) -> None:
    for section in SECTIONS:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            one(section, "colour", value)


def test_settings_cannot_be_changed_in_place() -> None:
    queue = QueueSettings(requests_max=3)
    settings = Settings(queue=queue)
    with pytest.raises(ValidationError, match="frozen"):
        settings.queue.requests_max = 4  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.queue = QueueSettings()  # type: ignore[misc]
    assert settings == Settings(queue=queue)
    assert settings != Settings()
