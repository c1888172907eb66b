"""A fit finds factors that are known, and a held-out model is truly not in it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from benchmarks.fits.factor_fit import ENGINE, FACTORS, VLLM, Fitted, columns, fit, held_out
from benchmarks.fits.planner_rows import Row
from models.cards import load_cards
from models.layout import Layout
from models.shape import Shape
from models.speed.roofline import Engine, Factors
from models.speed.work import Load
from tests.models.shapes import DEEPSEEK_V3, GPT_OSS, QWEN3_32B, QWEN3_235B

CARDS = load_cards()
MODELS = {"r1": DEEPSEEK_V3, "oss": GPT_OSS, "32b": QWEN3_32B, "235b": QWEN3_235B}
PRIORS = Fitted(
    Factors(**{name: prior.value for name, prior in FACTORS.items()}),
    {"vllm": VLLM}
    | {
        name: Engine(**{key: prior.value for key, prior in ENGINE.items()})
        for name in ("sglang", "trtllm")
    },
)
TRUTH = replace(
    PRIORS, factors=replace(PRIORS.factors, read_routed=0.65, layer_s=95e-6, queue=0.15)
)


def rows_of(fitted: Fitted) -> list[Row]:
    """Rows as a replica with these factors would have been measured, without noise."""
    asked = [
        _row(name, shape, tp, card, engine, Load(tokens, 500, clients))
        for (name, shape), tp, card, engine, tokens, clients in product(
            MODELS.items(), (4, 8), ("h200",), ("vllm", "sglang"), (1000, 8000), (4, 32, 128)
        )
    ]
    ttft_s, tpot_s = columns(asked).predict(fitted)
    return [
        replace(row, ttft_ms=float(ttft) * 1e3, tpot_ms=float(tpot) * 1e3)
        for row, ttft, tpot in zip(asked, ttft_s, tpot_s, strict=True)
    ]


def _row(name: str, shape: Shape, tp: int, card: str, engine: str, load: Load) -> Row:
    return Row(name, name, name, shape, Layout(tp), CARDS[card], load, engine, "a", 1.0, 1.0)


def of_two_models() -> list[Row]:
    chosen = [row for row in rows_of(TRUTH) if row.model in ("oss", "32b")]
    return [row for row in chosen if row.engine == "vllm"]


def error(rows: list[Row], fitted: Fitted) -> float:
    tpot_s = columns(rows).predict(fitted)[1]
    return float(np.median(np.abs(tpot_s * 1e3 / np.array([row.tpot_ms for row in rows]) - 1)))


def test_planted_factors_are_found() -> None:
    rows = rows_of(TRUTH)
    found = fit(rows)
    assert found.factors.layer_s == pytest.approx(95e-6, rel=0.1)
    assert found.factors.queue == pytest.approx(0.15, rel=0.1)
    assert found.factors.read_routed < PRIORS.factors.read_routed * 0.95
    assert error(rows, PRIORS) > 0.15
    assert error(rows, found) < 0.03


def test_one_absurd_row_in_twenty_hardly_moves_the_fit() -> None:
    rows = rows_of(TRUTH)
    spoilt = [
        replace(row, tpot_ms=row.tpot_ms * 5) if i % 20 == 0 else row for i, row in enumerate(rows)
    ]
    assert error(rows, fit(spoilt)) < 0.06


def test_without_rows_to_the_contrary_a_factor_stays_near_what_is_known() -> None:
    dense = [row for row in rows_of(TRUTH) if row.model == "32b"]
    found = fit(dense).factors
    for name in ("read_routed", "moe_layer_s", "latent_layer_s", "sparse_layer_s"):
        assert getattr(found, name) == pytest.approx(FACTORS[name].value, rel=0.01)


def test_a_held_out_model_does_not_teach() -> None:
    rows = of_two_models()
    slow = [replace(r, tpot_ms=r.tpot_ms * 3) if r.model == "oss" else r for r in rows]
    where = np.array([row.model == "oss" for row in rows])
    as_measured, thrice = held_out(rows)[1], held_out(slow)[1]
    np.testing.assert_array_equal(as_measured[where], thrice[where])
    assert not np.array_equal(as_measured[~where], thrice[~where])


def test_doubted_rows_are_predicted_and_teach_nothing() -> None:
    rows = of_two_models()
    doubted = [replace(rows[0], tpot_ms=1e6)]
    alone, beside = held_out(rows), held_out(rows, doubted)
    np.testing.assert_array_equal(beside[1][: len(rows)], alone[1])
    assert beside[1][-1] == pytest.approx(alone[1][0])
