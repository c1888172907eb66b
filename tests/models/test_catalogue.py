from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.catalogue import Model, UnknownModel, load_catalogue
from models.data_file import BadDataFile
from models.hf.config import shape_of
from models.tiny.tokenizer import VOCAB_SIZE
from models.tiny.weights import TINY, model_config, tensor_shapes
from models.unknown_names import NAME_CHARS_MAX
from tests.models.published import published_config
from tests.models.tiny.params import active_params

CATALOGUE = load_catalogue()
MODELS = CATALOGUE.models
PUBLISHED = [model for model in MODELS if model.model_id != "tiny-moe"]
EXACT = [model for model in PUBLISHED if model.sources.config.mark == "exact"]

# What the publishers say of their models, in 10^9 parameters: all, and for one token.
HEADLINES = {
    "deepseek-v3.2": (671, 37),
    "deepseek-v3": (671, 37),
    "deepseek-r1": (671, 37),
    "deepseek-v4-flash": (284, 13),
    "deepseek-v4-pro": (1573, 49),
    "qwen3-235b-a22b": (235, 22),
    "qwen3-30b-a3b": (30.5, 3.3),
    "qwen3-32b": (32.8, 32.8),
    "qwen3-coder-480b": (480, 35),
    "glm-5": (744, 40),
    "kimi-k2": (1026, 32),
    "kimi-k2.5": (1026, 32),
    "minimax-m2.5": (229, 10),
    "gpt-oss-120b": (117, 5.1),
    "gpt-oss-20b": (21, 3.6),
    "mixtral-8x7b": (46.7, 12.9),
    "llama-4-maverick": (400, 17),
}


def test_the_catalogue_holds_the_promised_models() -> None:
    fp8 = {"qwen3-235b-a22b", "qwen3-30b-a3b", "qwen3-coder-480b", "glm-5", "llama-4-maverick"}
    promised = {"tiny-moe", *HEADLINES, *(f"{model_id}-fp8" for model_id in fp8)}
    assert {model.model_id for model in MODELS} == promised


@pytest.mark.parametrize("model", EXACT, ids=lambda model: model.model_id)
def test_an_entry_marked_exact_has_the_shape_of_the_published_config(model: Model) -> None:
    # The base model of Mixtral has the shape of the one that follows instructions.
    repo = model.repo_id.replace("-Instruct-v0.1", "-v0.1")
    config = published_config(repo.replace("/", "--"))
    assert model.shape() == shape_of(config)
    assert [model.architecture] == config["architectures"]


@pytest.mark.parametrize("model_id", HEADLINES)
def test_derived_parameters_agree_with_the_publisher(model_id: str) -> None:
    model = CATALOGUE.get(model_id)
    total, active = HEADLINES[model_id]
    assert model.total_params == pytest.approx(total * 1e9, rel=0.005)
    assert model.active_params == pytest.approx(active * 1e9, rel=0.1)  # some count embeddings


def test_a_variant_differs_in_its_weights_only() -> None:
    for model in MODELS:
        if not model.model_id.endswith("-fp8"):
            continue
        base = CATALOGUE.get(model.model_id.removesuffix("-fp8"))
        assert model.weight_dtypes[0].startswith("fp8")
        assert base.weight_dtypes == ("bf16",)
        assert model.total_params == base.total_params
        assert model.capabilities == base.capabilities
        assert "FP8" in model.repo_id


def test_only_variants_without_a_published_config_are_estimated() -> None:
    estimated = {model.model_id for model in PUBLISHED} - {model.model_id for model in EXACT}
    assert estimated == {"qwen3-coder-480b-fp8", "llama-4-maverick-fp8"}


def test_the_tiny_entry_agrees_with_what_the_builder_writes() -> None:
    model = CATALOGUE.get("tiny-moe")
    assert model.shape() == shape_of(model_config(VOCAB_SIZE, end_id=1, pad_id=0))
    sizes = [shape[0] * (shape[1:] or (1,))[0] for shape in tensor_shapes(VOCAB_SIZE).values()]
    assert model.total_params == sum(sizes)
    # A token is looked up in the embedding, not multiplied with it.
    assert model.active_params == active_params(VOCAB_SIZE) - VOCAB_SIZE * TINY.hidden


def test_every_score_says_where_it_is_from() -> None:
    told = [score for model in PUBLISHED for each in model.quality for score in each.scores]
    assert {score.task for score in told} >= {"code", "math", "reasoning", "knowledge", "chinese"}
    second_hand = [
        evaluation
        for model in PUBLISHED
        for evaluation in model.quality
        if "by others" in evaluation.source or "its column for this model" in evaluation.source
    ]
    assert second_hand
    assert {evaluation.mark for evaluation in second_hand} == {"estimated"}


def test_nothing_is_registered_until_the_deployer_says_so() -> None:
    assert {model.registration for model in MODELS} == {None}


def registered(file: str) -> set[str]:
    """The keys of a registry of vLLM, read and not run: importing the engine takes ten seconds."""
    engine = importlib.util.find_spec("vllm")
    if engine is None or engine.origin is None:
        pytest.skip("the engine is not installed")
    module = ast.parse((Path(engine.origin).parent / file).read_text("utf-8"))
    values = [each.value for each in module.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    tables = [value for value in values if isinstance(value, ast.Dict)]
    keys = [key.value for table in tables for key in table.keys if isinstance(key, ast.Constant)]
    return {key for key in keys if isinstance(key, str)}


def test_the_engine_knows_every_architecture_and_parser() -> None:
    architectures = {model.architecture for model in MODELS}
    assert architectures <= registered("model_executor/models/registry.py")
    tool_parsers = {model.tool_parser for model in MODELS} - {None}
    assert tool_parsers <= registered("tool_parsers/__init__.py")
    reasoning_parsers = {model.reasoning_parser for model in MODELS} - {None}
    assert reasoning_parsers <= registered("reasoning/__init__.py")
    assert "NobodyForCausalLM" not in registered("model_executor/models/registry.py")


def test_parsers_and_capabilities_agree() -> None:
    for model in MODELS:
        assert model.capabilities.tools == (model.tool_parser is not None), model.model_id
        assert model.capabilities.reasoning == (model.reasoning_parser is not None), model.model_id


def test_a_repository_is_found() -> None:
    found = CATALOGUE.of_repo("zai-org/GLM-5-FP8")
    assert found is not None
    assert found.model_id == "glm-5-fp8"
    assert CATALOGUE.of_repo("nobody/nothing") is None


def test_a_typing_error_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(KeyError) as caught:
        CATALOGUE.get("DeepSeek-V3.2")
    assert isinstance(caught.value, UnknownModel)
    assert caught.value.near[0] == "deepseek-v3.2"
    assert "did you mean deepseek-v3.2" in str(caught.value)


def test_a_name_like_no_other_is_answered_without_a_guess() -> None:
    with pytest.raises(UnknownModel) as caught:
        CATALOGUE.get("zzz")
    assert str(caught.value) == "no model 'zzz' in the catalogue"


def test_a_huge_name_is_cut_before_it_is_compared_or_repeated() -> None:
    with pytest.raises(UnknownModel) as caught:
        CATALOGUE.get("x" * 1_000_000)
    assert len(caught.value.name) == NAME_CHARS_MAX


def test_an_entry_cannot_be_changed() -> None:
    model = CATALOGUE.get("glm-5")
    with pytest.raises(ValidationError):
        model.licence = "other"  # type: ignore[misc]


SOURCE = "{mark: exact, source: s, as_of: 2026-01-01}"
ENTRY = (
    "  - model_id: m\n    repo_id: r\n    licence: l\n"
    "    config: {architectures: [Qwen3ForCausalLM], hidden_size: 8, num_hidden_layers: 1,\n"
    "      num_attention_heads: 1, num_key_value_heads: 1, head_dim: 8, intermediate_size: 8,\n"
    "      vocab_size: 8, max_position_embeddings: 8}\n"
    "    capabilities: {tools: true, reasoning: true, languages: [en]}\n"
    f"    sources: {{config: {SOURCE}, engine: {SOURCE}, licence: {SOURCE},"
    f" capabilities: {SOURCE}}}\n"
)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("models:\n" + ENTRY, encoding="utf-8")
    assert load_catalogue(path).get("m").context_tokens_max == 8


def test_a_bad_file_is_refused_with_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    wrong = ENTRY.replace("model_id: m", "model_id: Upper").replace("[en]", "[]")
    shapeless = ENTRY.replace("model_id: m", "model_id: n").replace("vocab_size: 8, ", "")
    guessed = ENTRY.replace("model_id: m", "model_id: g").replace("Qwen3For", "NewFor")
    unsourced = ENTRY.replace(f" licence: {SOURCE},", "").replace("model_id: m", "model_id: u")
    entries = [ENTRY, ENTRY, wrong, shapeless, guessed, unsourced]
    path.write_text("models:\n" + "".join(entries), encoding="utf-8")
    with pytest.raises(BadDataFile) as caught:
        load_catalogue(path)
    report = "\n".join(caught.value.problems)
    assert "'m' stands twice" in report
    assert "'r' stands twice" in report
    assert "models[2].model_id" in report
    assert "models[2].capabilities.languages" in report
    assert "n.config: vocab_size is missing" in report
    assert "g.config leaves open: architecture NewForCausalLM" in report
    assert "models[5].sources.licence" in report
