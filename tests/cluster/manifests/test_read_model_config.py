from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cluster.manifests import read_model_config as reading
from cluster.manifests.read_model_config import CONFIG_BYTES_MAX, read_model_config
from models.hf.config import BadModelConfig, shape_of
from models.tiny.weights import model_config as tiny_config
from runtime.errors import ConfigError

CONFIGS = Path(__file__).parents[4] / "shared" / "data" / "hf_configs"
TINY = tiny_config(1024, end_id=1, pad_id=0)


def written(folder: Path, config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def refused(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_model_config(name)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_folder_is_read_through_transformers(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    del (config := dict(TINY))["decoder_sparse_step"]
    found = read_model_config(str(written(tmp_path / "m", config)))
    assert found.source.endswith("config.json")
    assert found.notes == ()
    assert found.config["decoder_sparse_step"] == 1  # its class says so


def test_a_file_of_any_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY), "utf-8")
    assert shape_of(read_model_config(str(path)).config) == shape_of(TINY)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_transformers_changes_no_shape(path: Path) -> None:
    read = read_model_config(str(path))
    assert shape_of(read.config) == shape_of(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("size", ["num_experts", "num_hidden_layers", "vocab_size"])
def test_a_size_is_never_taken_from_a_class(tmp_path: Path, size: str) -> None:
    config = {key: value for key, value in TINY.items() if key != size}
    read = read_model_config(str(written(tmp_path / "m", config)))
    assert size not in read.config
    with pytest.raises(BadModelConfig, match=size):
        shape_of(read.config)


@pytest.mark.parametrize(
    ("config", "note"),
    [
        (TINY | {"model_type": "brand_new"}, "transformers does not know model_type 'brand_new'"),
        (TINY | {"layer_types": ["odd", "odd"]}, "transformers refuses the values of"),
        ({key: TINY[key] for key in TINY if key != "model_type"}, "has no model_type"),
    ],
)
def test_what_transformers_cannot_read_is_taken_as_it_stands(
    tmp_path: Path, config: dict[str, Any], note: str
) -> None:
    pytest.importorskip("transformers")
    read = read_model_config(str(written(tmp_path / "m", config)))
    assert read.config == config
    assert note in read.notes[0]


QUANTIZED = {"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}}


def test_a_quantization_in_a_file_of_its_own_is_read_as_the_engine_does(tmp_path: Path) -> None:
    folder = written(tmp_path / "m", TINY)
    plain = read_model_config(str(folder)).config
    (folder / "hf_quant_config.json").write_text(json.dumps(QUANTIZED), "utf-8")
    found = read_model_config(str(folder)).config
    assert found == {**plain, "quantization_config": QUANTIZED}
    (note,) = shape_of(found).unknown
    assert "'quantization', which is not read here: weights counted as BF16" in note
    assert read_model_config(str(folder / "config.json")).config == plain  # a file stands alone


def test_a_config_that_says_it_itself_goes_first(tmp_path: Path) -> None:
    own = {"quant_method": "fp8"}
    folder = written(tmp_path / "m", TINY | {"quantization_config": own})
    (folder / "hf_quant_config.json").write_text("{", "utf-8")
    assert read_model_config(str(folder)).config["quantization_config"] == own
    written(tmp_path / "m", TINY)
    assert "hf_quant_config.json is not JSON" in refused(str(folder))


def test_a_repository_has_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    file = tmp_path / "blob"
    file.write_text(json.dumps(QUANTIZED), "utf-8")
    found: dict[str, str | None] = {"hf_quant_config.json": str(file)}
    monkeypatch.setattr(reading, "_is_reachable", lambda _: True)
    monkeypatch.setattr(
        "transformers.PreTrainedConfig.get_config_dict", lambda *_, **__: (dict(TINY), {})
    )
    monkeypatch.setattr("transformers.utils.cached_file", lambda _, name, **__: found[name])
    assert read_model_config("owner/model").config["quantization_config"] == QUANTIZED
    found["hf_quant_config.json"] = None
    assert "quantization_config" not in read_model_config("owner/model").config


def test_the_code_of_a_repository_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    folder = written(
        tmp_path / "m",
        TINY | {"model_type": "odd_one", "auto_map": {"AutoConfig": "configuration_odd.OddConfig"}},
    )
    (folder / "configuration_odd.py").write_text(f"open({str(mark)!r}, 'w').close()\n", "utf-8")
    assert read_model_config(str(folder)).notes
    assert not mark.exists()


def test_what_is_not_there_or_no_config(tmp_path: Path) -> None:
    assert "has no config.json: give a folder" in refused(str(tmp_path))
    assert "there is no file" in refused(str(tmp_path / "absent"))
    assert "there is no file qwen99" in refused("qwen99")
    assert len(refused("x" * 100_000)) < 400
    assert "there is no file" in refused("a\0b")
    for content, why in [("{", "not JSON"), ("[1]", "a JSON object"), ("[" * 99_999, "not JSON")]:
        (tmp_path / "config.json").write_text(content, "utf-8")
        assert why in refused(str(tmp_path))
    (tmp_path / "config.json").write_bytes(b" " * (CONFIG_BYTES_MAX + 1))
    assert "larger than" in refused(str(tmp_path))


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_cache")
def test_a_hub_id_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> socket.socket:
        raise OSError("no route")

    monkeypatch.setattr("socket.create_connection", unreachable)
    told = refused("nobody/absent-model")
    assert "nobody/absent-model is not in the local cache" in told
    assert "cannot be reached: download its config.json and give the folder" in told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("You are trying to access a gated repo.\nMore.", "is gated: accept its terms"),
        ("a/b is not a local folder and is not a valid model identifier", "check the name"),
        ("It looks odd.\nMore.", "could not be fetched (It looks odd.)"),
    ],
)
@pytest.mark.usefixtures("no_cache")
def test_what_the_hub_answers(monkeypatch: pytest.MonkeyPatch, error: str, told: str) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(error)

    monkeypatch.setattr("transformers.PreTrainedConfig.get_config_dict", fails)
    monkeypatch.setattr(reading, "_is_reachable", lambda _: True)
    assert told in refused("owner/model")


def test_a_closed_port_is_not_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        assert not reading._is_reachable(f"http://127.0.0.1:{port}")
        holder.listen()
        assert reading._is_reachable(f"http://127.0.0.1:{port}")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    assert reading._is_reachable(f"http://127.0.0.1:{port}")
