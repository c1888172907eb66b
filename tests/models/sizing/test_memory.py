from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cards import Card, load_cards
from models.hf.config import shape_of
from models.layout import Layout
from models.sizing.kv_cache import kv_bytes_per_request_per_card, kv_bytes_per_token_per_card
from models.sizing.memory import (
    KV_BYTES_MIN,
    OVERHEAD_BYTES,
    Fit,
    UnknownMemory,
    fit,
    overhead_bytes,
    requests_held,
)
from tests.models.published import GLM_45, layout_of, published

GIB = 1 << 30
CARDS = load_cards()
# Two cards of a column differ by less than the tokens may.
COLUMNS = (("h100", "h800"), ("h20",), ("h200", "h20-3e"))

FIT_TABLE = Path(__file__).with_name("fit_table.txt").read_text("utf-8")
ROWS = [line.split(" | ") for line in FIT_TABLE.splitlines() if not line.startswith("#")]
MODELS = {name: list(rows) for name, rows in groupby(ROWS, key=lambda row: row[0])}


def check_cell(found: Fit, cell: str) -> None:
    if not cell.startswith("-"):
        assert found.fits
        assert found.kv_tokens == pytest.approx(1000 * int(cell), rel=0.10)
        assert found.kv_tokens_low <= found.kv_tokens <= found.kv_tokens_high
        return
    assert not found.fits
    assert found.why_not is not None
    assert found.why_not.startswith("weights take") == (found.weights_bytes > found.usable_bytes)
    if left := cell.removeprefix("-"):
        gib = (found.usable_bytes - found.weights_bytes - found.overhead_bytes) / GIB
        assert gib == pytest.approx(float(left), abs=0.35)


@pytest.mark.parametrize("name", MODELS)
def test_what_fits_is_what_the_table_says(name: str) -> None:
    shape = published(name)
    for _, text, weights_gib, *cells in MODELS[name]:
        layout = layout_of(text)
        for card_ids, cell in zip(COLUMNS, cells, strict=True):
            for card_id in card_ids:
                found = fit(shape, layout, CARDS[card_id])
                assert found.weights_bytes / GIB == pytest.approx(float(weights_gib), rel=0.02)
                check_cell(found, cell)


def test_the_table_is_whole() -> None:
    assert len(ROWS) == 173
    assert len(MODELS) == 19


def test_qwen3_235b_on_four_h100_as_logged() -> None:
    """vLLM issue 21348: 178,880 tokens in 8.11 GiB per card at utilisation 0.9."""
    found = fit(published("Qwen3-235B FP8"), Layout(4), CARDS["h100"], memory_utilization=0.9)
    assert found.kv_bytes / GIB == pytest.approx(8.11, rel=0.10)
    assert found.kv_tokens == pytest.approx(178_880, rel=0.10)


@pytest.mark.parametrize(("dcp", "tokens"), [(1, 715_072), (8, 5_721_088)])
def test_kimi_k2_thinking_on_eight_h200_as_logged(dcp: int, tokens: int) -> None:
    """The vLLM recipe, utilisation 0.9; K2.5 has the same language model."""
    layout = Layout(8, dcp=dcp)
    found = fit(published("Kimi-K2.5 INT4"), layout, CARDS["h200"], memory_utilization=0.9)
    assert found.kv_tokens == pytest.approx(tokens, rel=0.10)


def test_v4_flash_on_two_h20_as_logged() -> None:
    """vLLM issue 51041: 7.0 to 7.7 GiB at utilisation 0.95, with 1.8 GiB of draft layers."""
    found = fit(published("V4-Flash"), Layout(2), CARDS["h20"], memory_utilization=0.95)
    assert 7.0 <= found.kv_bytes / GIB - 1.8 <= 7.7


def test_a_refusal_shows_the_arithmetic() -> None:
    shape, layout = published("DeepSeek-V3.2"), Layout(8)
    found = fit(shape, layout, CARDS["h800"])
    assert found.why_not == "weights take 80.2 of the 72.9 GiB usable per card"
    found = fit(shape, layout, CARDS["h20"])
    assert found.why_not == (
        "weights (80.2 GiB) and the engine itself (8.0 GiB) leave -0.8 of the 87.4 GiB usable per "
        "card for the KV cache, which needs 1.0 GiB or more"
    )
    assert fit(shape, layout, CARDS["h200"]).why_not is None


def test_smaller_batches_leave_more_for_the_cache() -> None:
    assert overhead_bytes(8192) == OVERHEAD_BYTES
    assert 0 < overhead_bytes(1024) < overhead_bytes(2048) < OVERHEAD_BYTES < overhead_bytes(16384)


def test_a_card_of_unknown_memory_is_refused() -> None:
    with pytest.raises(UnknownMemory, match="cpu"):
        fit(shape_of(GLM_45), Layout(1), CARDS["cpu"])


def test_requests_are_held_with_their_windows() -> None:
    shape, layout = published("gpt-oss-120b"), Layout(2, 2, expert_parallel=True)
    memory = fit(shape, layout, CARDS["h100"])
    held = requests_held(shape, layout, memory, 20_000)
    # As many windowed layers as full ones: 144 tokens of a window beside 20,000.
    assert held == pytest.approx(memory.kv_tokens / 20_144, rel=0.02)
    assert held < memory.kv_tokens // 20_000


def test_a_model_of_windows_alone_holds_tokens_too() -> None:
    shape = shape_of(GLM_45 | {"sliding_window": 4096})
    windowed, full = (fit(each, Layout(8), CARDS["h200"]) for each in (shape, shape_of(GLM_45)))
    # 131,072 tokens in one window and the block that it begins in.
    assert windowed.kv_tokens / full.kv_tokens == pytest.approx(131072 / (4096 + 16), rel=0.01)


def test_a_batch_whose_windows_do_not_fit_admits_no_request() -> None:
    """Why DeepSeek-V4-Flash fails to start on two cards until its batches are made smaller."""
    shape, layout, card = published("V4-Flash"), Layout(2), CARDS["h20"]
    assert requests_held(shape, layout, fit(shape, layout, card), 100_000) == 0
    smaller = fit(shape, layout, card, batched_tokens_max=2048)
    assert requests_held(shape, layout, smaller, 100_000) > 10


@given(
    tp=st.sampled_from([1, 2, 4, 8]),
    dp=st.integers(1, 8),
    memory_gib=st.floats(40, 300),
    tokens=st.integers(1, 100_000),
    running_max=st.integers(1, 2000),
)
def test_held_requests_fit_the_cache_and_the_engine_limit(
    tp: int, dp: int, memory_gib: float, tokens: int, running_max: int
) -> None:
    shape, layout = shape_of(GLM_45), Layout(tp, dp)
    card = Card(card_id="x", name="X", memory_gib=memory_gib)
    memory = fit(shape, layout, card, running_max=running_max)
    held = requests_held(shape, layout, memory, tokens)
    assert held * tokens <= memory.kv_tokens
    assert held <= running_max * dp
    assert memory.fits == (
        memory.usable_bytes - memory.weights_bytes - memory.overhead_bytes >= KV_BYTES_MIN
    )


def test_the_request_that_is_admitted_needs_the_windows_of_a_batch() -> None:
    shape, layout, tokens = published("gpt-oss-120b"), Layout(1), 20_000
    memory = fit(shape, layout, CARDS["h200"])
    growing = tokens * kv_bytes_per_token_per_card(shape, layout, memory.kv_dtype)

    def whole(batched_tokens: int) -> int:
        return growing + kv_bytes_per_request_per_card(
            shape, layout, memory.kv_dtype, batched_tokens, request_tokens=tokens
        )

    each, admitted = whole(0), whole(memory.batched_tokens_max)
    assert each < admitted
    for kv_bytes, held in ((admitted - 1, 0), (admitted, 1), (admitted + 3 * each, 4)):
        assert requests_held(shape, layout, replace(memory, kv_bytes=kv_bytes), tokens) == held
