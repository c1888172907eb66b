from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from scheduler.settings import MAY_BE_ZERO, Settings


def test_defaults_are_valid() -> None:
    assert Settings().kv_headroom < 1


BOUNDS = [field.name for field in fields(Settings) if field.name != "tenant_nano_per_hour"]


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_bound_must_be_positive_or_zero_where_that_means_something(name: str, value: Any) -> None:
    changed: dict[str, Any] = {name: value}
    if value == 0 and name in MAY_BE_ZERO:
        assert getattr(Settings(**changed), name) == 0
        return
    with pytest.raises(ValueError, match=name):
        Settings(**changed)


@pytest.mark.parametrize("headroom", [-0.1, 1.0, float("nan")])
def test_headroom_is_a_share(headroom: float) -> None:
    with pytest.raises(ValueError, match="kv_headroom"):
        Settings(kv_headroom=headroom)


@pytest.mark.parametrize("nano", [-1, float("nan")])
def test_a_budget_may_be_zero_but_not_less(nano: Any) -> None:
    assert Settings(tenant_nano_per_hour={"a": 0}).tenant_nano_per_hour["a"] == 0
    with pytest.raises(ValueError, match="tenant_nano_per_hour"):
        Settings(tenant_nano_per_hour={"a": 1, "b": nano})


def test_no_cap_is_none_and_not_zero() -> None:
    assert Settings().spill_nano_per_hour_max is None
