"""Start-up settings of an engine: bounded, and nothing unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.engine.settings import VLLM_FLAGS_MAX, EngineSettings

GIVEN: dict[str, Any] = {"model": "m", "checkpoint": Path("/w")}


def test_the_least_that_must_be_given() -> None:
    settings = EngineSettings.model_validate(GIVEN)
    assert settings.device == "auto"
    assert settings.vllm_flags == {}
    with pytest.raises(ValidationError):
        settings.model = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": None},
        {"running_max": 0},
        {"context_tokens_max": 1},
        {"device": "tpu"},
        {"tensor_parallel": 0},
        {"colour": "red"},
        {"vllm_flags": {f"f{n}": n for n in range(VLLM_FLAGS_MAX + 1)}},
        {"vllm_flags": {"f": [1]}},
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EngineSettings.model_validate(GIVEN | wrong)
