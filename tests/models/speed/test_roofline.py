"""Times follow from work and factors; columns of rows go through the same formulas."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cards import load_cards
from models.layout import Layout
from models.speed.calibration import load_calibration
from models.speed.roofline import Engine, Factors, Times, times
from models.speed.work import Load, Work, work_of
from tests.models.shapes import DEEPSEEK_V3, QWEN3_32B, QWEN3_235B

H200 = load_cards()["h200"]
FACTORS = load_calibration().factors
# The card as its data sheet has it: nothing is launched, nothing waits.
IDEAL = Factors(**{field.name: 0.0 for field in fields(Factors)})
IDEAL = replace(
    IDEAL,
    read_shared=1.0,
    read_routed=1.0,
    compute_shared=1.0,
    compute_routed=1.0,
    compute_attention=1.0,
    link=1.0,
)
VLLM = Engine()
TP8 = Layout(8)


def work(concurrency: float = 1, layout: Layout = TP8, shape: Any = DEEPSEEK_V3) -> Work:
    return work_of(shape, layout, H200, Load(1000, 500, concurrency), "bf16")


def test_one_token_on_an_ideal_card_takes_the_reading_of_its_weights() -> None:
    dense = work(layout=Layout(1), shape=QWEN3_32B)
    read_s = dense.shared_read_s + dense.head_read_s + dense.kv_read_request_s
    assert times(dense, IDEAL, VLLM).tpot_s == pytest.approx(read_s, rel=0.01)


def test_one_token_reads_its_experts_only() -> None:
    lone = work(layout=Layout(4), shape=QWEN3_235B)
    read_s = lone.routed_read_s * 8 / 128 + lone.shared_read_s + lone.head_read_s
    found = times(replace(lone, reduce_token_s=0.0), IDEAL, VLLM)
    assert found.tpot_s == pytest.approx(read_s + lone.kv_read_request_s, rel=0.02)


def test_a_prompt_on_an_ideal_card_takes_its_arithmetic() -> None:
    dense = work_of(QWEN3_32B, Layout(1), H200, Load(8000, 500, 1), "bf16")
    compute_s = 8000 * dense.shared_token_s + dense.prompt_attention_s
    found = times(dense, IDEAL, VLLM)
    assert found.ttft_s - found.tpot_s == pytest.approx(compute_s, rel=0.01)


def test_a_lone_client_waits_for_nobody() -> None:
    found = times(work(), FACTORS, VLLM)
    assert found.ttft_s == found.ttft_closed_loop_s
    crowd = times(work(64), FACTORS, VLLM)
    assert crowd.ttft_closed_loop_s > crowd.ttft_s


def test_prompts_of_others_stretch_every_token() -> None:
    crowd = work(64)
    alone = replace(crowd, prompt_steps=0.0, prompt_tokens=0.0, rank_prompt_tokens=0.0)
    assert times(crowd, FACTORS, VLLM).tpot_s > times(alone, FACTORS, VLLM).tpot_s


def test_an_engine_that_starts_slowly_delays_only_the_first_token() -> None:
    slow, usual = (times(work(), FACTORS, Engine(first_token_s=s)) for s in (0.2, 0.0))
    assert slow.ttft_s - usual.ttft_s == pytest.approx(0.2, rel=1e-3)
    assert slow.tpot_s == pytest.approx(usual.tpot_s, rel=0.01)


SLOWER = [name for name in asdict(FACTORS) if name.startswith(("read_", "compute_", "link"))]


@given(st.sampled_from(SLOWER), st.integers(1, 256), st.floats(0.2, 0.95))
def test_a_less_efficient_card_is_never_faster(name: str, concurrency: int, share: float) -> None:
    worse = replace(FACTORS, **{name: getattr(FACTORS, name) * share})
    usual, slower = (times(work(concurrency), each, VLLM) for each in (FACTORS, worse))
    # A token alone may gain: while first tokens take longer, fewer requests run.
    assert slower.ttft_closed_loop_s >= usual.ttft_closed_loop_s
    assert request_s(slower) >= request_s(usual)


def request_s(found: Times) -> float:
    return found.ttft_closed_loop_s + 500 * found.tpot_s


def test_columns_of_rows_go_through_the_same_formulas() -> None:
    layouts = (Layout(8), Layout(2, 4, expert_parallel=True), Layout(4, pp=2))
    works = [work(c, layout) for layout in layouts for c in (1, 7, 256)]
    columns = {
        field.name: np.array([getattr(each, field.name) for each in works], dtype=float)
        for field in fields(Work)
    }
    together = times(cast(Any, Work)(**columns), FACTORS, VLLM)
    one_by_one = [times(each, FACTORS, VLLM) for each in works]
    for name in ("ttft_s", "ttft_closed_loop_s", "tpot_s"):
        expected = [getattr(each, name) for each in one_by_one]
        np.testing.assert_allclose(getattr(together, name), expected, rtol=1e-12)
