from __future__ import annotations

from pathlib import Path

import pytest

from models.cards import load_cards
from models.catalogue import load_catalogue
from models.data_file import BadDataFile
from models.recipes import load_recipes, recipe_env, recipe_flags


def test_recipes_speak_of_models_and_cards_that_there_are() -> None:
    models = {model.model_id for model in load_catalogue().models}
    cards = set(load_cards())
    for recipe in load_recipes():
        assert set(recipe.models) <= models
        assert set(recipe.cards) <= cards
        assert recipe.flags or recipe.env


def test_a_recipe_for_some_cards_is_not_for_others() -> None:
    assert recipe_env("deepseek-v3.2", "h20") == {"VLLM_MOE_USE_DEEP_GEMM": "0"}
    assert recipe_env("deepseek-v3.2", "h200") == {}
    assert recipe_flags("deepseek-v3.2", "h200")["tokenizer-mode"] == "deepseek_v32"
    assert recipe_flags("qwen3-32b", "h200") == {}


def test_what_a_plan_decides_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipes.yaml"
    path.write_text(
        "recipes: [{models: [glm-5], flags: {max-num-seqs: 8, block-size: 64}, "
        "mark: exact, source: x, as_of: 2026-01-01}]"
    )
    with pytest.raises(BadDataFile, match="glm-5: max-num-seqs is for the plan to decide"):
        load_recipes(path)
