"""Flags that `vllm_flags` may hold: none that has a field, is ours to set, or opens doors."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.engine.allowed_vllm_flags import (
    DERIVED_FLAGS,
    FIELD_OF_FLAG,
    OWNED_FLAGS,
    PARSER_FIELDS,
    REFUSED_FLAGS,
    why_refused,
)
from runtime.engine.engine_settings import EngineSettings


@pytest.mark.parametrize(
    "name",
    [
        *sorted(OWNED_FLAGS | REFUSED_FLAGS | DERIVED_FLAGS),
        *("trust_remote_code", "trust-remote", "api_key", "--middleware", "no-such\n--middleware"),
        *("seed=1", "", "Config", "no-trust-remote-code", "max_num_seqs", "tensor-par"),
        *FIELD_OF_FLAG,
        *PARSER_FIELDS,
    ],
)
def test_flags_that_may_not_be_given(name: str) -> None:
    given = {"model": "m", "checkpoint": Path("/w"), "vllm_flags": {"seed": 1, name: True}}
    with pytest.raises(ValidationError):
        EngineSettings.model_validate(given)


@pytest.mark.parametrize("name", ["seed", "kv_cache_dtype", "no-enable-prefix-caching", "dtype"])
def test_flags_that_may(name: str) -> None:
    assert why_refused(name) is None


def test_a_flag_with_a_field_is_answered_with_the_field() -> None:
    assert "write tensor_parallel beside" in str(why_refused("tensor_parallel_size"))
    assert "write tool_parser beside" in str(why_refused("tool-call-parser"))
    assert set(FIELD_OF_FLAG.values()) | set(PARSER_FIELDS.values()) <= set(
        EngineSettings.model_fields
    )
