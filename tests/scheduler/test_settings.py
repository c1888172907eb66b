from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from scheduler.settings import Settings


def test_defaults_are_valid() -> None:
    assert Settings().kv_headroom < 1


@pytest.mark.parametrize(
    "name", [field.name for field in fields(Settings) if field.name != "kv_headroom"]
)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_bound_must_be_positive(name: str, value: Any) -> None:
    changed: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        Settings(**changed)


@pytest.mark.parametrize("headroom", [-0.1, 1.0, float("nan")])
def test_headroom_is_a_share(headroom: float) -> None:
    with pytest.raises(ValueError, match="kv_headroom"):
        Settings(kv_headroom=headroom)
