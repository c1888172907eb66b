"""`baseload plan`: one document, a table, a page, a Serve config, and one line per refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cluster.cli.main import app
from cluster.profile import load
from tests.benchmarks.pages.html_page import Page
from tests.cluster.refusal import refusal

RUNNER = CliRunner()
V32 = ("deepseek-v3.2", "--card", "H200", "--cards", "8", "--input", "4000", "--output", "1000")
KEYS = {
    "tp",
    "ep",
    "dp",
    "pp",
    "nodes",
    "fits",
    "why_not",
    "weights_gib_per_card",
    "kv_bytes_per_token_per_card",
    "kv_tokens",
    "tpot_ms",
    "ttft_ms",
    "out_tok_s_per_card",
    "band_pct",
    "usd_per_mtok_out",
    "engine_args",
}


def run(*arguments: str) -> Result:
    done = RUNNER.invoke(app, ["plan", *arguments])
    assert done.exit_code == 0, done.output
    return done


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def test_json_has_every_layout_and_the_chosen_one() -> None:
    found = document(*V32)
    assert (found["model"], found["card"], found["cards"]) == ("deepseek-v3.2", "H200", 8)
    assert found["chosen"] == found["layouts"][0]
    for layout in found["layouts"]:
        assert set(layout) >= KEYS
        assert layout["fits"] or layout["why_not"]
    chosen = found["chosen"]
    assert chosen["engine_args"]["max-model-len"] == 163_840
    assert chosen["kv_tokens_low"] < chosen["kv_tokens"] < chosen["kv_tokens_high"]
    assert 0 < chosen["band_pct"] < chosen["ttft_band_pct"]
    tp8 = next(
        each
        for each in found["layouts"]
        if (each["tp"], each["dp"], each["pp"], each["dcp"], each["ep"]) == (8, 1, 1, 1, 1)
    )
    assert tp8["kv_bytes_per_token_per_card"] == 48_068
    assert tp8["weights_gib_per_card"] == pytest.approx(80.0, rel=0.01)


def test_a_no_is_an_answer() -> None:
    found = document("deepseek-v3.2", "--card", "h800", "--cards", "8")
    assert found["chosen"] is None
    assert found["would_fit"] == ["16 × H800", "8 × H200", "8 × H20-3e"]
    shown = run("deepseek-v3.2", "--card", "h800", "--cards", "8").stdout
    assert "No: it does not fit. It would on 16 × H800" in shown


def test_the_table_names_the_best_and_its_cost() -> None:
    shown = run(*V32, "--ttft-ms", "2000", "--tpot-ms", "50").stdout
    assert "TTFT at most 2000 ms" in shown
    assert "Run 1 × " in shown
    assert "per M output tokens (±" in shown


def test_the_page_is_whole_and_stands_alone(tmp_path: Path) -> None:
    page = tmp_path / "plan.html"
    run(*V32, "--report", str(page))
    read = Page(page.read_text())
    assert "Memory of a card" in read.text
    assert "Throughput against latency" in read.text
    assert "--tensor-parallel-size" in read.text


def test_the_written_config_is_one_that_serve_takes(tmp_path: Path) -> None:
    config = tmp_path / "served.yaml"
    run("gpt-oss-120b", "--card", "H100", "--cards", "2", "--write", str(config))
    profile = load(config)
    (pool,) = profile.args.pools
    assert (pool.model, pool.card) == ("gpt-oss-120b", "h100")
    assert yaml.safe_load(config.read_text())["applications"][0]["name"] == "baseload"


def test_a_config_that_is_not_in_the_catalogue_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(_moe()))
    found = document(str(tmp_path), "--card", "H100", "--cards", "1")
    assert found["chosen"]["tp"] == 1
    assert found["chosen"]["engine_args"]["max-model-len"] == 4_096


def test_what_is_not_understood_of_a_config_is_said_and_stands_in_the_document(
    tmp_path: Path,
) -> None:
    odd = {
        "quantization_config": {"quant_method": "gptq", "bits": 4, "dynamic": {"-:.*": {}}},
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 4.0,
            "rope_theta": 10_000.0,
            "original_max_position_embeddings": 2_048,
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(_moe() | odd))
    done = run(str(tmp_path), "--card", "H100", "--cards", "1", "--json")
    for part in ("'dynamic', which is not read here: weights counted as BF16", "reaches 8192 tok"):
        assert part in done.stderr
        assert any(part in note for note in json.loads(done.stdout)["unknown"])


def test_a_config_without_experts_needs_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dense = {k: v for k, v in _moe().items() if "expert" not in k and not k.startswith("moe")}
    dense |= {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
    (tmp_path / "config.json").write_text(json.dumps(dense))
    asked = (str(tmp_path), "--card", "H100", "--cards", "1")
    assert "give --dense" in refusal(monkeypatch, capsys, "plan", *asked)
    assert document(*asked, "--dense")["chosen"]["ep"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("deepseek-v9", "--card", "H200", "--cards", "8"), "did you mean deepseek-v3"),
        (("glm-5", "--card", "H300", "--cards", "8"), "did you mean"),
        (("glm-5", "--card", "cpu", "--cards", "8"), "plan for a GPU"),
        (("glm-5", "--card", "H200", "--cards", "7"), "the nearest are 4 and 8"),
        (("glm-5", "--card", "H200", "--cards", "8", "--ttft-ms", "-1"), "must be above 0"),
        (("glm-5", "--card", "H200", "--cards", "8", "--input", "0"), "must be above 0"),
        (("./no/such/folder", "--card", "H200", "--cards", "8"), "no/such/folder"),
        (("glm-5", "--card", "H200", "--cards", "8", "--report", "/"), "is a folder"),
    ],
)
def test_refusals_say_what_to_do(
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said in refusal(monkeypatch, capsys, "plan", *arguments)


def test_help_has_an_example() -> None:
    assert "Example: baseload plan" in run("--help").stdout


def _moe() -> dict[str, Any]:
    return {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "hidden_size": 512,
        "vocab_size": 32_000,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 64,
        "intermediate_size": 1_024,
        "moe_intermediate_size": 256,
        "num_experts": 16,
        "num_experts_per_tok": 2,
        "max_position_embeddings": 4_096,
        "torch_dtype": "bfloat16",
    }
