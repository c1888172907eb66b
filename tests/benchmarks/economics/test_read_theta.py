from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.economics.input_checks import BadInput
from benchmarks.economics.read_theta import read_theta
from benchmarks.economics.sensitivity import THETA

PLAN = {
    "cards": 16,
    "input_tokens": 4096,
    "output_tokens": 1024,
    "chosen": {"replicas": 2, "out_tok_s_per_card": 371.5, "band_pct": 20.0},
}


def written(tmp_path: Path, document: object) -> str:
    path = tmp_path / "theta.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_a_number() -> None:
    found = read_theta("1072")
    assert (float(found.tok_s), found.span, found.source) == (1072, THETA, "given")
    assert (found.cards_per_replica, found.input_per_output) == (None, None)


def test_a_plan_brings_its_band_its_replicas_and_its_mix(tmp_path: Path) -> None:
    found = read_theta(written(tmp_path, PLAN))
    assert found.tok_s == Decimal("371.5")
    assert (found.span.low, found.span.high) == (Decimal("0.8"), Decimal("1.2"))
    assert (found.cards_per_replica, found.input_per_output) == (8, Decimal(4))
    assert found.source.endswith("a plan")


def test_a_sweep(tmp_path: Path) -> None:
    asked = {"input_tokens": 512, "output_tokens": 128}
    sweep = {"theta_out_tok_s_per_card": 900, "band_pct": 250, "traffic": asked}
    found = read_theta(written(tmp_path, sweep))
    assert found.input_per_output == 4
    assert found.at(Decimal(4)) == found.source
    assert "found at 4 input tokens" in found.at(Decimal("4.1"))
    assert found.tok_s == 900
    assert (found.span.low, found.span.high) == (Decimal("0.01"), Decimal("1.99"))
    assert read_theta(written(tmp_path, {"theta_out_tok_s_per_card": 9})).span is THETA


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ('{"theta_out_tok_s_per_card": 9', "cut short"),
        ("[1]", "one JSON object"),
        ({"tok_s": 9}, "holds no theta"),
        ({"chosen": None}, "holds no theta"),
        ({"chosen": {"out_tok_s_per_card": None}}, "holds no theta"),
        ({"theta_out_tok_s_per_card": 0}, "above 0"),
        ({"theta_out_tok_s_per_card": "fast"}, "give a number"),
        ({"theta_out_tok_s_per_card": None}, "found no theta"),
    ],
)
def test_a_file_without_theta_is_refused(tmp_path: Path, document: object, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_theta(written(tmp_path, document))


def test_an_absent_file_and_a_word_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_theta(str(tmp_path / "absent.json"))
    with pytest.raises(BadInput, match="theta 'fast': give a number"):
        read_theta("fast")
    with pytest.raises(BadInput, match="theta 0: must be above 0"):
        read_theta("0")


def test_a_document_says_what_model_its_theta_is_of(tmp_path: Path) -> None:
    assert read_theta(written(tmp_path, PLAN | {"model": "deepseek-v3.2"})).model == "deepseek-v3.2"
    sweep = {"theta_out_tok_s_per_card": 900, "model": "tiny-moe"}
    assert read_theta(written(tmp_path, sweep)).model == "tiny-moe"
    assert read_theta("1072").model is None
