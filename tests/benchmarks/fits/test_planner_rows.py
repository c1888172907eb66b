"""Rows of the public format: what ran, and which rows are left out by which rule."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fits.planner_rows import Row, prompt_peak_share, read_rows, screen
from models.cards import load_cards
from models.layout import Layout
from models.speed.work import Load
from tests.models.shapes import QWEN3_32B, QWEN3_235B

DATA = Path(__file__).parents[4] / "shared" / "data"
CARDS = load_cards()
RECORD = {
    "id": "one",
    "silicon_data_source": "source_file=/x/h100/vllm/Llama.csv; silicon_concurrency=8; wip=False",
    "backend": "vllm",
    "backend_version": "0.18.0",
    "model_path": "meta-llama/Llama-3.1-70B",
    "system": "h100_sxm",
    "precision": "fp8",
    "mode": "agg",
    "isl": "1024",
    "osl": "512",
    "batch_size": "4",
    "tp_size": "4",
    "attention_dp_size": "1",
    "moe_tp_size": "1",
    "moe_ep_size": "1",
    "silicon_ttft_ms": "80.5",
    "silicon_tpot_ms": "11.5",
}


def row(**changes: object) -> Row:
    usual = Row(
        row_id="one",
        model="Qwen3-32B",
        model_path="Qwen/Qwen3-32B",
        shape=QWEN3_32B,
        layout=Layout(4),
        card=CARDS["h100"],
        load=Load(1024, 512, 16),
        engine="vllm",
        campaign="a",
        ttft_ms=130.0,
        tpot_ms=10.6,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def read(tmp_path: Path, *records: Mapping[str, str]) -> tuple[tuple[Row, ...], Mapping[str, int]]:
    file = tmp_path / "rows.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, RECORD)
        writer.writeheader()
        writer.writerows(records)
    found = read_rows(tmp_path, file)
    return found.kept, found.screened


def test_a_record_becomes_a_shape_a_layout_and_a_load(tmp_path: Path) -> None:
    (found,), screened = read(tmp_path, RECORD)
    assert found.layout == Layout(4)
    assert found.load == Load(1024, 512, 8)
    assert found.card.card_id == "h100"
    assert found.shape.layers == 80
    assert found.shape.formats.dense.name == "fp8_block128"
    assert found.campaign == "vllm|0.18.0|h100|/x/h100/vllm/"
    assert (found.ttft_ms, found.tpot_ms) == (80.5, 11.5)
    assert not screened


def test_where_the_load_is_not_told_the_batch_is_of_one_rank(tmp_path: Path) -> None:
    untold = RECORD | {
        "silicon_data_source": "source_file=x.csv",
        "tp_size": "2",
        "moe_ep_size": "8",
        "attention_dp_size": "",
    }
    (found,), _ = read(tmp_path, untold)
    assert found.layout == Layout(2, 4, expert_parallel=True)
    assert found.load.concurrency == 16


@pytest.mark.parametrize(
    ("tp", "dp", "moe_tp", "moe_ep", "layout"),
    [
        ("8", "1", "8", "1", Layout(8)),
        ("8", "1", "1", "8", Layout(8, expert_parallel=True)),
        ("64", "1", "8", "8", Layout(8, expert_parallel=True)),  # TP times EP
        ("4", "1", "2", "2", Layout(2, expert_parallel=True)),
        ("1", "64", "8", "8", Layout(1, 8, expert_parallel=True)),
        ("4", "4", "1", "16", Layout(1, 4, expert_parallel=True)),
        ("4", "", "2", "2", Layout(4, expert_parallel=True)),
        ("1", "", "2", "1", Layout(1, 2)),
        ("2", "", "0", "0", Layout(2)),
    ],
)
def test_labels_that_are_products_are_taken_apart(
    tp: str, dp: str, moe_tp: str, moe_ep: str, layout: Layout, tmp_path: Path
) -> None:
    sizes = {"tp_size": tp, "attention_dp_size": dp, "moe_tp_size": moe_tp, "moe_ep_size": moe_ep}
    (found,), _ = read(tmp_path, RECORD | sizes)
    assert found.layout == layout


def test_what_cannot_be_judged_is_counted(tmp_path: Path) -> None:
    kept, screened = read(
        tmp_path,
        RECORD | {"mode": "disagg"},
        RECORD | {"model_path": "nobody/Unheard-Of"},
        RECORD | {"system": "b200_sxm"},
        RECORD,
        RECORD | {"id": "again", "silicon_tpot_ms": "11.5004"},
        RECORD | {"silicon_ttft_ms": "6000", "silicon_tpot_ms": "11"},
    )
    assert [each.row_id for each in kept] == ["one"]
    assert screened == {
        "disaggregated": 1,
        "no config": 2,
        "repeated": 1,
        "waited longer than it ran": 1,
    }


def test_prompts_at_the_peak_of_the_card_were_not_computed() -> None:
    # 31 G active parameters, 1024 tokens, 16 clients, in 5.56 s on four cards.
    expected = 2 * 31.2e9 * 1024 * 16 / 5.557 / (4 * 989e12)
    assert prompt_peak_share(row()) == pytest.approx(expected, rel=0.01)
    crowd = row(load=Load(8192, 128, 512))
    assert prompt_peak_share(crowd) > 1
    assert screen([crowd])[2] == {"faster than its card": 1}


def test_fp8_weights_are_held_against_the_fp8_peak() -> None:
    fp8 = row(shape=replace(QWEN3_32B, formats=QWEN3_235B.formats))
    assert prompt_peak_share(fp8) == pytest.approx(prompt_peak_share(row()) / 2)


def test_a_campaign_with_too_many_such_rows_is_left_out_whole() -> None:
    crowd = row(load=Load(8192, 128, 512), campaign="b")

    def others(count: int) -> list[Row]:
        return [row(campaign="b", tpot_ms=10.0 + i) for i in range(count)]

    kept, doubted, screened = screen([row(), crowd, *others(8)])
    assert [each.campaign for each in kept] == ["a"]
    assert len(doubted) == screened["campaign"] == 8
    kept, doubted, screened = screen([row(), crowd, *others(9)])
    assert len(kept) == 10
    assert doubted == ()
    assert screened == {"faster than its card": 1}


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured rows are not here")
def test_every_row_of_the_sample_is_kept_or_counted() -> None:
    found = read_rows(DATA)
    assert len(found.kept) + sum(found.screened.values()) == 905
    assert "no config" not in found.screened
    assert all(each.layout.cards <= 8 for each in found.kept)
    assert len({each.model for each in found.kept}) == 10
