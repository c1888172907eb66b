from __future__ import annotations

import json
import multiprocessing
import re
import time
from pathlib import Path

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from models.tiny import checkpoint as builder
from models.tiny.checkpoint import ensure_tiny_moe
from models.tiny.files import FILES, MANIFEST, NotACheckpoint
from models.tiny.tokenizer import VOCAB_SIZE


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def leftovers(parent: Path) -> list[str]:
    return [path.name for path in parent.iterdir() if ".building-" in path.name]


def expected_shapes(config: dict[str, int]) -> dict[str, list[int]]:
    """The tensors that a Qwen3-MoE loader asks for, worked out from config.json alone."""
    hidden, inner, head = (
        config["hidden_size"],
        config["moe_intermediate_size"],
        config["head_dim"],
    )
    queries, keys = (config[f"num_{kind}_heads"] * head for kind in ("attention", "key_value"))
    vocabulary = [config["vocab_size"], hidden]
    shapes = {"model.embed_tokens": vocabulary, "lm_head": vocabulary, "model.norm": [hidden]}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.{norm}_layernorm": [hidden] for norm in ("input", "post_attention")}
        shapes |= {f"{at}.self_attn.{norm}_norm": [head] for norm in "qk"}
        shapes |= {f"{at}.self_attn.{p}_proj": [keys, hidden] for p in "kv"}
        shapes |= {f"{at}.self_attn.q_proj": [queries, hidden]}
        shapes |= {f"{at}.self_attn.o_proj": [hidden, queries]}
        shapes |= {f"{at}.mlp.gate": [config["num_experts"], hidden]}
        for expert in range(config["num_experts"]):
            shapes |= {
                f"{at}.mlp.experts.{expert}.{p}_proj": [inner, hidden] for p in ("gate", "up")
            }
            shapes |= {f"{at}.mlp.experts.{expert}.down_proj": [hidden, inner]}
    return {f"{name}.weight": shape for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_moe(tmp_path_factory.mktemp("models") / "tiny-moe")


def test_the_checkpoint_holds_every_tensor_of_its_config(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text("utf-8"))
    with safe_open(checkpoint / "model.safetensors", framework="numpy") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        assert {name: s.get_shape() for name, s in slices.items()} == expected_shapes(config)
        assert {s.get_dtype() for s in slices.values()} == {"BF16"}
        assert file.metadata() == {"format": "pt"}


def test_config_and_tokenizer_agree(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text("utf-8"))
    words = json.loads((checkpoint / "tokenizer_config.json").read_text("utf-8"))
    generation = json.loads((checkpoint / "generation_config.json").read_text("utf-8"))
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == config["vocab_size"] == VOCAB_SIZE
    assert tokenizer.token_to_id(words["eos_token"]) == config["eos_token_id"]
    assert tokenizer.token_to_id(words["pad_token"]) == config["pad_token_id"]
    assert generation["eos_token_id"] == [config["eos_token_id"], config["pad_token_id"]]
    assert words["model_max_length"] == config["max_position_embeddings"] == 4096
    assert words["eos_token"] in words["chat_template"]


def test_two_builds_of_one_seed_are_the_same_bytes(tmp_path: Path, checkpoint: Path) -> None:
    assert content(ensure_tiny_moe(tmp_path / "again")) == content(checkpoint)
    other = content(ensure_tiny_moe(tmp_path / "other", seed=1))
    assert other["model.safetensors"] != content(checkpoint)["model.safetensors"]
    assert other["tokenizer.json"] == content(checkpoint)["tokenizer.json"]


def test_an_intact_checkpoint_is_left_alone_and_found_quickly(checkpoint: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in checkpoint.iterdir()}
    started = time.monotonic()
    assert ensure_tiny_moe(checkpoint) == checkpoint
    assert time.monotonic() - started < 0.5
    assert {path.name: path.stat().st_mtime_ns for path in checkpoint.iterdir()} == before
    assert set(before) == {*FILES, MANIFEST}


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_a_damaged_checkpoint_is_rebuilt(
    tmp_path: Path, checkpoint: Path, name: str, damage: str
) -> None:
    folder = ensure_tiny_moe(tmp_path / "tiny-moe")
    file = folder / name
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"\xff" + data[1:] if damage == "changed" else data[: len(data) // 2])
    assert content(ensure_tiny_moe(folder)) == content(checkpoint)
    assert leftovers(tmp_path) == []


def test_a_checkpoint_of_another_builder_or_seed_is_rebuilt(
    tmp_path: Path, checkpoint: Path
) -> None:
    folder = ensure_tiny_moe(tmp_path / "tiny-moe", seed=1)
    assert content(ensure_tiny_moe(folder, seed=0)) == content(checkpoint)
    manifest = (folder / MANIFEST).read_text("utf-8")
    outdated, count = re.subn(r'"builder_version": "\w{64}"', '"builder_version": "0"', manifest)
    assert count == 1
    (folder / MANIFEST).write_text(outdated, "utf-8")
    assert content(ensure_tiny_moe(folder)) == content(checkpoint)


def test_the_recipe_names_every_source_of_the_checkpoint() -> None:
    room = Path(builder.__file__).parent.parent
    modules = [path for path in room.glob("tiny/*.py") if path.name != "__init__.py"]
    sources = [*modules, *room.glob("data/tiny_*")]
    assert set(builder.RECIPE) == {path.relative_to(room).as_posix() for path in sources}


def test_what_a_dead_builder_left_is_swept(tmp_path: Path) -> None:
    wreck = tmp_path / ".tiny-moe.building-dead"
    (wreck / "new").mkdir(parents=True)
    ensure_tiny_moe(tmp_path / "tiny-moe")
    assert leftovers(tmp_path) == []


def test_a_folder_with_other_files_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(NotACheckpoint, match=r"letter\.txt"):
        ensure_tiny_moe(tmp_path / "home")
    assert content(tmp_path / "home") == {"letter.txt": b"dear"}
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(NotACheckpoint):
        ensure_tiny_moe(tmp_path / "file")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "tiny-moe").mkdir()
    assert (ensure_tiny_moe(tmp_path / "tiny-moe") / MANIFEST).exists()


def test_processes_at_once_end_with_one_intact_checkpoint(tmp_path: Path, checkpoint: Path) -> None:
    folder = tmp_path / "deep" / "tiny-moe"
    context = multiprocessing.get_context("spawn")
    builders = [context.Process(target=ensure_tiny_moe, args=(folder,)) for _ in range(3)]
    for started in builders:
        started.start()
    for started in builders:
        started.join(timeout=60)
    assert [each.exitcode for each in builders] == [0, 0, 0]
    assert content(folder) == content(checkpoint)
    assert leftovers(folder.parent) == []
