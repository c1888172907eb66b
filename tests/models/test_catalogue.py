from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.catalogue import MODEL_ID_CHARS_MAX, Model, UnknownModel, load_catalogue
from models.data_file import BadDataFile
from models.tiny_tokenizer import VOCAB_SIZE
from models.tiny_weights import active_params, model_config, tensor_shapes

CONFIGS = Path(__file__).parents[3] / "shared" / "data" / "hf_configs"
PUBLISHED = [model for model in load_catalogue().models if model.model_id != "tiny-moe"]


def quantization(config: dict[str, Any]) -> str:
    """The catalogue's word for what a config.json says of its weights."""
    scheme = config.get("quantization_config")
    if scheme is None:
        return str(config.get("dtype") or config["torch_dtype"])
    if scheme["quant_method"] == "fp8":
        return f"fp8_block{scheme['weight_block_size'][0]}"
    if scheme["quant_method"] == "compressed-tensors":
        weights = scheme["config_groups"]["group_0"]["weights"]
        return f"{weights['type']}{weights['num_bits']}_group{weights['group_size']}"
    return str(scheme["quant_method"])


def test_the_catalogue_holds_the_promised_models() -> None:
    assert [model.model_id for model in load_catalogue().models] == [
        "tiny-moe",
        "deepseek-v3.2",
        "qwen3-235b-a22b",
        "glm-5",
        "kimi-k2.5",
        "gpt-oss-120b",
    ]


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.model_id)
def test_an_entry_agrees_with_the_published_config(model: Model) -> None:
    path = CONFIGS / f"{model.repo_id.replace('/', '--')}.json"
    if not path.exists():
        pytest.skip(f"no published configs beside this checkout ({path.name})")
    config = json.loads(path.read_text("utf-8"))
    text = config.get("text_config", config)
    assert config["architectures"] == [model.architecture]
    assert text["max_position_embeddings"] == model.context_tokens_max
    assert text["num_hidden_layers"] == model.layers
    assert quantization(text) == model.weight_dtype


def test_the_tiny_entry_agrees_with_what_the_builder_writes() -> None:
    model = load_catalogue().get("tiny-moe")
    config = model_config(VOCAB_SIZE, end_id=1, pad_id=0)
    sizes = [shape[0] * (shape[1:] or (1,))[0] for shape in tensor_shapes(VOCAB_SIZE).values()]
    assert model.total_params == sum(sizes)
    assert model.active_params == active_params(VOCAB_SIZE)
    assert config["architectures"] == [model.architecture]
    assert config["max_position_embeddings"] == model.context_tokens_max
    assert config["num_hidden_layers"] == model.layers
    assert config["dtype"] == model.weight_dtype


def test_a_typing_error_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(KeyError) as caught:
        load_catalogue().get("DeepSeek-V3")
    assert isinstance(caught.value, UnknownModel)
    assert caught.value.near == ("deepseek-v3.2",)
    assert str(caught.value).endswith("did you mean deepseek-v3.2?")


def test_a_name_like_no_other_is_answered_without_a_guess() -> None:
    with pytest.raises(UnknownModel) as caught:
        load_catalogue().get("zzz")
    assert str(caught.value) == "no model 'zzz' in the catalogue"


def test_a_huge_name_is_cut_before_it_is_compared_or_repeated() -> None:
    with pytest.raises(UnknownModel) as caught:
        load_catalogue().get("x" * 1_000_000)
    assert len(caught.value.model_id) == MODEL_ID_CHARS_MAX


def test_an_entry_cannot_be_changed() -> None:
    model = load_catalogue().get("glm-5")
    with pytest.raises(ValidationError):
        model.layers = 1  # type: ignore[misc]


def test_a_bad_file_is_refused_with_every_problem(tmp_path: Path) -> None:
    entry = (
        "  - model_id: m\n    repo_id: r\n    architecture: a\n    context_tokens_max: 8\n"
        "    total_params: 1\n    active_params: 2\n    layers: 1\n    weight_dtype: bfloat16\n"
        "    licence: l\n    capabilities: {tools: true, reasoning: true, languages: [en]}\n"
        "    source: s\n    as_of: 2026-01-01\n"
    )
    path = tmp_path / "models.yaml"
    wrong = entry.replace("model_id: m", "model_id: Upper").replace("[en]", "[]")
    path.write_text("models:\n" + entry + entry + wrong, encoding="utf-8")
    with pytest.raises(BadDataFile) as caught:
        load_catalogue(path)
    report = "\n".join(caught.value.problems)
    assert "'m' stands twice" in report
    assert "m: more active than total parameters" in report
    assert "models[2].model_id" in report
    assert "models[2].capabilities.languages" in report
