"""What is chosen, what is refused and why; over every model of the catalogue and every card."""

from __future__ import annotations

import pytest

from models.cards import load_cards
from models.catalogue import load_catalogue
from models.layout import Layout
from models.planner import (
    CARD_COUNTS,
    UNTESTED,
    BadPlan,
    LayoutPlan,
    Objective,
    Plan,
    _rank,
    curve,
    plan,
    replica_sizes,
    usd_per_mtok,
)
from models.shape import Shape
from models.sizing.memory import requests_held
from models.speed.performance import predict

ASKED = Objective(2_000, 500, ttft_ms=2_000, tpot_ms=50)
CATALOGUE, CARDS = load_catalogue(), load_cards()
GPUS = ("h100", "h200", "h800", "h20", "h20-3e")


def shape_of_model(model_id: str) -> Shape:
    return CATALOGUE.get(model_id).shape()


def planned(model_id: str, card: str, cards: int, asked: Objective = ASKED) -> Plan:
    others = tuple(each for each in CARDS.values() if each.card_id != card)
    return plan(shape_of_model(model_id), CARDS[card], cards, asked, other_cards=others)


@pytest.mark.parametrize("model_id", [model.model_id for model in CATALOGUE.models])
def test_every_model_has_an_answer_on_every_card(model_id: str) -> None:
    for card in GPUS:
        found = planned(model_id, card, 8)
        assert found.layouts
        for each in found.layouts:
            assert (each.why_not is None) == (each.speed is not None)
            assert each.why_not is None or len(each.why_not) > 10
            assert each.replicas * each.layout.cards == 8
        if found.chosen is None:
            fits = any(each.fits for each in found.layouts)
            assert found.would_fit or fits, f"{model_id} on {card}: no, and nothing to do about it"


def test_the_chosen_one_is_the_cheapest_of_those_that_keep_the_objectives() -> None:
    found = planned("qwen3-235b-a22b-fp8", "h200", 8)
    assert found.layouts == found.working + found.refused
    costs = [each.usd_per_mtok_out for each in found.working]
    assert len(costs) > 3
    assert costs == sorted(costs, key=lambda cost: cost or 0.0)
    for each in found.working:
        assert each.speed is not None
        assert ASKED.is_met(each.speed)
        assert each.usd_per_mtok_out == pytest.approx(
            4.06 / 0.0036 / each.speed.out_tok_s_per_card, rel=1e-9
        )


def test_one_request_more_would_break_an_objective_or_not_fit() -> None:
    tight = Objective(2_000, 500, tpot_ms=30)
    shape, loose = shape_of_model("gpt-oss-120b"), Objective(2_000, 500)
    most = {
        each.layout: each.concurrency for each in planned("gpt-oss-120b", "h100", 8, loose).working
    }
    full = 0
    found = planned("gpt-oss-120b", "h100", 8, tight)
    assert found.working
    for each in found.working:
        assert each.fit is not None
        assert most[each.layout] == requests_held(shape, each.layout, each.fit, 2_500)
        assert each.concurrency <= most[each.layout]
        more = tight.load(each.concurrency + 1)
        is_met = tight.is_met(predict(shape, each.layout, found.card, more))
        assert is_met == (each.concurrency == most[each.layout])
        full += is_met
    assert 0 < full < len(found.working), "some are bound by the objective, some by memory"


def test_deepseek_does_not_fit_eight_cards_of_80_gb_and_says_what_does() -> None:
    found = planned("deepseek-v3.2", "h800", 8)
    assert found.chosen is None
    whole = next(each for each in found.layouts if each.layout.tp == 8)
    assert whole.why_not is not None
    assert "weights take 80.2 of the 72.9 GiB" in whole.why_not
    assert found.would_fit == ("16 × H800", "8 × H200", "8 × H20-3e")
    assert planned("deepseek-v3.2", "h800", 16).chosen is not None


def test_h20_is_at_its_best_where_answers_are_long() -> None:
    """Its compute is a sixth of an H800's, its memory is faster."""

    def advantage(asked: Objective) -> float:
        h20, h800 = (
            planned("qwen3-235b-a22b-fp8", card, 8, asked).chosen for card in ("h20", "h800")
        )
        assert h20 is not None
        assert h800 is not None
        return h20.out_tok_s_per_card / h800.out_tok_s_per_card

    assert advantage(Objective(200, 2_000, tpot_ms=50)) > 1.5 * advantage(
        Objective(8_000, 100, tpot_ms=50)
    )


def test_prompts_take_a_larger_share_of_a_card_with_little_compute() -> None:
    shares = []
    for card in ("h800", "h20"):
        chosen = planned("qwen3-235b-a22b-fp8", card, 8).chosen
        assert chosen is not None
        assert chosen.speed is not None
        shares.append(chosen.speed.prompt_share)
    assert 0 < shares[0] < shares[1] < 1


def test_what_no_measurement_tested_is_noted_and_not_preferred() -> None:
    found = planned("deepseek-v3.2", "h200", 8)
    untested = [each for each in found.layouts if each.layout.pp > 1 or each.layout.dcp > 1]
    assert untested
    assert all(UNTESTED in each.notes for each in untested)
    assert all(UNTESTED not in each.notes for each in found.layouts if each not in untested)
    assert found.chosen not in untested


def test_an_objective_that_no_layout_keeps_is_a_no_with_the_figure() -> None:
    found = planned("deepseek-v3.2", "h200", 8, Objective(2_000, 500, tpot_ms=1))
    assert found.chosen is None
    assert found.would_fit == ()
    fitting = next(each for each in found.layouts if each.fits)
    assert fitting.why_not is not None
    assert fitting.why_not.startswith("TPOT ")
    assert fitting.why_not.endswith("alone is above 1")


def test_a_smaller_step_is_taken_where_windows_would_not_admit_a_request() -> None:
    found = planned("deepseek-v4-flash", "h20", 2, Objective(100_000, 500))
    tensor = next(each for each in found.layouts if each.layout == Layout(2))
    assert tensor.why_not is None
    assert tensor.fit is not None
    assert tensor.fit.batched_tokens_max < 8_192


def test_sparse_context_parallel_is_not_planned_with_a_bf16_cache() -> None:
    found = plan(shape_of_model("deepseek-v3.2"), CARDS["h200"], 8, ASKED, kv_dtype="bf16")
    spread = [each for each in found.layouts if each.layout.dcp > 1]
    assert spread
    assert all(each.why_not is not None for each in spread)


def test_without_a_price_there_is_no_cost() -> None:
    assert usd_per_mtok(CARDS["h20-3e"], 100.0) is None
    chosen = planned("glm-5-fp8", "h20-3e", 8, Objective(2_000, 500)).chosen
    assert chosen is not None
    assert chosen.usd_per_mtok_out is None


def test_a_curve_runs_from_one_request_to_the_plan() -> None:
    found = planned("gpt-oss-120b", "h100", 8)
    assert found.chosen is not None
    points = curve(shape_of_model("gpt-oss-120b"), found, found.chosen)
    counts = [concurrency for concurrency, _ in points]
    assert counts[0] == 1
    assert counts[-1] == found.chosen.concurrency
    assert counts == sorted(set(counts))
    assert points[-1][1] == found.chosen.speed


def test_replicas_are_parts_of_a_node_or_whole_nodes() -> None:
    assert replica_sizes(8) == (1, 2, 4, 8)
    assert replica_sizes(16) == (1, 2, 4, 8, 16)
    assert replica_sizes(24) == (1, 2, 4, 8, 24)
    for cards in CARD_COUNTS:
        assert all(cards % size == 0 for size in replica_sizes(cards))


@pytest.mark.parametrize("cards", [0, -8, 3, 5, 7, 9, 12, 65, 72, 1_000])
def test_other_counts_are_refused_with_the_nearest(cards: int) -> None:
    with pytest.raises(BadPlan, match="nearest are"):
        replica_sizes(cards)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input_tokens": 0}, "input_tokens must be above 0"),
        ({"output_tokens": -1}, "output_tokens must be above 0"),
        ({"ttft_ms": -5.0}, "ttft_ms must be above 0"),
        ({"tpot_ms": 0.0}, "tpot_ms must be above 0"),
        ({"tpot_ms": float("nan")}, "tpot_ms must be above 0"),
    ],
)
def test_senseless_objectives_are_refused(change: dict[str, float], said: str) -> None:
    values: dict[str, float] = {"input_tokens": 10, "output_tokens": 10}
    with pytest.raises(BadPlan, match=said):
        Objective(**(values | change))  # type: ignore[arg-type]


def test_what_is_longer_than_the_context_is_refused() -> None:
    with pytest.raises(BadPlan, match="context of 131072"):
        planned("gpt-oss-120b", "h100", 8, Objective(131_000, 100))


def test_the_host_decides_about_a_cpu() -> None:
    with pytest.raises(BadPlan, match="plan for a GPU"):
        planned("tiny-moe", "cpu", 1)


def test_of_equals_small_replicas_come_first() -> None:
    """One that fails takes less with it."""
    equals = [LayoutPlan(Layout(tp), 8 // tp, why_not="for a reason") for tp in (4, 1, 8, 2)]
    assert [each.layout.tp for each in sorted(equals, key=_rank)] == [1, 2, 4, 8]
