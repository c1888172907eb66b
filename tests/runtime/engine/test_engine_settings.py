"""Start-up settings of an engine: bounded, and nothing unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.config_problems import problems
from runtime.engine.engine_settings import OLDER_NAMES, VLLM_FLAGS_MAX, EngineSettings

GIVEN: dict[str, Any] = {"model": "m", "checkpoint": Path("/w")}


def test_the_least_that_must_be_given() -> None:
    settings = EngineSettings.model_validate(GIVEN)
    assert settings.device == "auto"
    assert settings.vllm_flags == {}
    with pytest.raises(ValidationError):
        settings.model = "other"  # type: ignore[misc]


def test_a_file_with_the_older_names_of_keys_stays_valid() -> None:
    older = EngineSettings.model_validate(GIVEN | {"running_max": 7, "batched_tokens_max": 64})
    assert (older.max_num_seqs, older.max_num_batched_tokens) == (7, 64)
    newer = {"max_num_seqs": 7, "max_num_batched_tokens": 64}
    assert older == EngineSettings.model_validate(GIVEN | newer)


@pytest.mark.parametrize(("name", "older"), OLDER_NAMES.items())
def test_a_key_stands_under_one_of_its_names_and_is_refused_by_that(name: str, older: str) -> None:
    for given, said in (
        ({name: 16, older: 16}, f"{older}: is the older name of {name}"),
        ({older: 0}, f"{older}: expected at least"),
    ):
        with pytest.raises(ValidationError) as caught:
            EngineSettings.model_validate(GIVEN | given)
        assert str(problems(caught.value, EngineSettings)[0]).startswith(said)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": None},
        {"max_num_seqs": 0},
        {"context_tokens_max": 1},
        {"device": "tpu"},
        {"tensor_parallel": 0},
        {"data_parallel": 0},
        {"data_parallel_local": 0},
        {"tensor_parallel": 8, "data_parallel": 9},  # 72 cards
        {"tensor_parallel": 3, "pipeline_parallel": 3},  # 9 cards: a node and one more
        {"colour": "red"},
        {"vllm_flags": {f"f{n}": n for n in range(VLLM_FLAGS_MAX + 1)}},
        {"vllm_flags": {"f": [1]}},
        {"max_num_batched_tokens": 31, "max_num_seqs": 32},
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EngineSettings.model_validate(GIVEN | wrong)


@pytest.mark.parametrize(
    ("fields", "cards", "nodes", "ranks_per_node"),
    [
        ({}, 1, 1, 1),
        ({"tensor_parallel": 2, "data_parallel": 4}, 8, 1, 4),
        ({"tensor_parallel": 4, "data_parallel": 4}, 16, 2, 2),
        ({"tensor_parallel": 16, "data_parallel": 2}, 32, 4, 1),
        ({"data_parallel": 16, "data_parallel_local": 4}, 16, 2, 4),
        ({"tensor_parallel": 4, "pipeline_parallel": 2, "cards_per_node": 4}, 8, 2, 1),
    ],
)
def test_the_cards_of_a_layout(
    fields: dict[str, Any], cards: int, nodes: int, ranks_per_node: int
) -> None:
    settings = EngineSettings.model_validate(GIVEN | fields)
    assert (settings.layout.cards, settings.layout.nodes) == (cards, nodes)
    assert settings.ranks_per_node == ranks_per_node
