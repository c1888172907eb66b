"""Predictions: what must hold whatever the factors are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cards import load_cards
from models.layout import Layout
from models.speed.performance import Load, Speed, UnknownSpeed, predict
from tests.models.shapes import ALL, DEEPSEEK_V3, DEEPSEEK_V32, QWEN3_32B, QWEN3_235B

CARDS = load_cards()
GPUS = [card for card in CARDS.values() if card.memory_bandwidth_gb_s is not None]
LAYOUTS = (Layout(8), Layout(2, 4, expert_parallel=True), Layout(8, pp=2), Layout(4, dcp=2))


@given(
    st.sampled_from(sorted(ALL)),
    st.sampled_from(GPUS),
    st.sampled_from(LAYOUTS),
    st.integers(1, 16_000),
    st.integers(1, 4_000),
    st.integers(1, 400),
)
def test_more_clients_are_slower_each(
    name: str, card: object, layout: Layout, input_tokens: int, output_tokens: int, clients: int
) -> None:
    few, more = (
        predict(ALL[name], layout, card, Load(input_tokens, output_tokens, count))  # type: ignore[arg-type]
        for count in (clients, clients + 1)
    )
    assert more.tpot_ms >= few.tpot_ms * (1 - 1e-9)
    assert more.ttft_closed_loop_ms >= few.ttft_closed_loop_ms * (1 - 1e-9)
    assert more.ttft_closed_loop_ms >= more.ttft_ms > 0


def test_throughput_is_what_the_clients_get() -> None:
    found = predict(QWEN3_235B, Layout(4), CARDS["h100"], Load(1000, 500, 32))
    request_s = (found.ttft_closed_loop_ms + 500 * found.tpot_ms) / 1e3
    assert found.out_tok_s_per_card == pytest.approx(32 * 500 / request_s / 4)


def per_card(card: str, load: Load) -> float:
    return predict(QWEN3_235B, Layout(8), CARDS[card], load).out_tok_s_per_card


def test_h20_is_near_where_decoding_rules_and_far_where_prompts_do() -> None:
    decoding, prompts = Load(100, 4000, 8), Load(16_000, 50, 8)
    assert per_card("h20", decoding) > 0.95 * per_card("h100", decoding)
    assert per_card("h20", prompts) < 0.6 * per_card("h100", prompts)


def test_narrower_links_cost_h800_in_prompts() -> None:
    slow, fast = (
        predict(DEEPSEEK_V3, Layout(8), CARDS[card], Load(8000, 500, 1))
        for card in ("h800", "h100")
    )
    assert slow.ttft_ms > fast.ttft_ms
    assert slow.tpot_ms == pytest.approx(fast.tpot_ms, rel=0.02)


def test_a_smaller_kv_type_reads_less() -> None:
    load = Load(30_000, 1000, 64)
    wide, narrow = (
        predict(QWEN3_235B, Layout(4), CARDS["h200"], load, kv_dtype=kind)
        for kind in ("bf16", "fp8")
    )
    assert narrow.tpot_ms < wide.tpot_ms


def test_sparse_attention_pays_at_length_only() -> None:
    def tpot(shape: object, tokens: int) -> float:
        found = predict(shape, Layout(8), CARDS["h200"], Load(tokens, 100, 1))  # type: ignore[arg-type]
        return found.tpot_ms

    assert tpot(DEEPSEEK_V32, 1000) > tpot(DEEPSEEK_V3, 1000)
    grown = tpot(DEEPSEEK_V32, 150_000) - tpot(DEEPSEEK_V32, 4000)
    assert grown < tpot(DEEPSEEK_V3, 150_000) - tpot(DEEPSEEK_V3, 4000)


def test_the_band_comes_with_every_prediction() -> None:
    found = predict(QWEN3_32B, Layout(2), CARDS["h20"], Load(1000, 500, 8))
    assert isinstance(found, Speed)
    assert found.band_pct > 0
    assert found.ttft_band_pct > found.band_pct


def test_a_card_without_figures_and_an_engine_never_measured_are_refused() -> None:
    load = Load(1000, 500, 8)
    with pytest.raises(UnknownSpeed):
        predict(QWEN3_32B, Layout(2), CARDS["cpu"], load)
    with pytest.raises(KeyError, match="llama"):
        predict(QWEN3_32B, Layout(2), CARDS["h100"], load, engine="llama.cpp")
