"""The context of a checkpoint, as the engine derives it from its rotary positions."""

from __future__ import annotations

from typing import Any

import pytest

from models.catalogue import load_catalogue
from models.hf.config import BadModelConfig, shape_of
from models.hf.context import context_of
from models.hf.keys import Keys
from tests.models.published import FILES, published_config

STATED = {"max_position_embeddings": 40_960}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 10_240}


def context(config: dict[str, Any]) -> tuple[int, tuple[str, ...]]:
    keys = Keys(config)
    tokens = context_of(keys)
    keys.refuse_if_bad()
    return tokens, keys.assumed


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        (STATED, 40_960),
        (STATED | {"rope_scaling": None}, 40_960),
        (STATED | {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, 163_840),
        (STATED | {"rope_scaling": {"type": "dynamic", "factor": 2}}, 81_920),
        (STATED | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, 40_960),
        (STATED | {"rope_scaling": YARN}, 40_960),
        (STATED | {"rope_parameters": YARN | {"rope_type": "llama3"}}, 40_960),
        (STATED | {"rope_parameters": {"rope_type": "longrope", "factor": 4.0}}, 40_960),
        (
            STATED
            | {
                "rope_parameters": {
                    "full_attention": {"rope_type": "linear", "factor": 8.0},
                    "sliding_attention": {"rope_type": "default"},
                }
            },
            327_680,
        ),
        (STATED | {"seq_length": 8_192}, 8_192),
        ({"max_seq_len": 2_048}, 2_048),
        (STATED | {"model_max_length": 131_072}, 131_072),
    ],
)
def test_scaling_counts_where_the_stated_length_is_the_one_before_it(
    config: dict[str, Any], tokens: int
) -> None:
    assert context(config) == (tokens, ())


def test_yarn_that_reaches_further_than_is_stated_is_said() -> None:
    """As the model cards of some tell people to edit the file, without the stated length."""
    rope = YARN | {"original_max_position_embeddings": 32_768}
    tokens, (note,) = context(STATED | {"rope_scaling": rope})
    assert tokens == 40_960
    assert note == (
        "YaRN scaling reaches 131072 tokens (4 x 32768), max_position_embeddings says 40960: the "
        "engine serves 40960; state 131072 there to have more"
    )


def test_yarn_that_reaches_less_than_is_stated_is_said() -> None:
    rope = YARN | {"original_max_position_embeddings": 4_096}
    tokens, (note,) = context(STATED | {"rope_scaling": rope})
    assert tokens == 40_960
    assert "the engine serves 40960, of which those past 16384 are untried" in note


@pytest.mark.parametrize("rope", [{"type": "yarn"}, YARN | {"original_max_position_embeddings": 0}])
def test_yarn_that_does_not_say_how_far_it_reaches(rope: dict[str, Any]) -> None:
    assert context(STATED | {"rope_scaling": rope}) == (40_960, ())


@pytest.mark.parametrize("factor", ["4", True, 0, -1.0, float("inf"), float("nan"), [2]])
def test_a_factor_that_is_none_is_refused(factor: Any) -> None:
    with pytest.raises(BadModelConfig, match="factor of the rotary scaling"):
        context(STATED | {"rope_scaling": {"rope_type": "linear", "factor": factor}})


def test_a_model_without_a_length_is_refused_by_the_usual_key() -> None:
    with pytest.raises(BadModelConfig, match="max_position_embeddings is missing"):
        context({})


def test_models_of_the_catalogue_keep_their_stated_length() -> None:
    for model in load_catalogue().models:
        text = model.config.get("text_config", model.config)
        assert model.context_tokens_max == text["max_position_embeddings"], model.model_id


@pytest.mark.parametrize("name", FILES)
def test_published_models_keep_their_stated_length(name: str) -> None:
    config = published_config(FILES[name])
    text = config.get("text_config", config)
    shape = shape_of(config)
    assert shape.context_tokens_max == text["max_position_embeddings"]
    assert shape.unknown == ()
