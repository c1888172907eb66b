"""The flags of a plan. That the engine knows them: test_engine_verdicts.py."""

from __future__ import annotations

import pytest

from models.cards import find_card, load_cards
from models.catalogue import load_catalogue
from models.layout import Layout
from models.planned_vllm_flags import engine_args
from models.recipes import PLANNED_FLAGS
from models.vllm_flags import Flags

CATALOGUE, CARDS = load_catalogue(), load_cards()

ALWAYS = PLANNED_FLAGS - {"data-parallel-size-local", "data-parallel-backend", "dcp-comm-backend"}


def flags(layout: Layout, model: str | None = "deepseek-v3.2") -> Flags:
    return engine_args(
        CATALOGUE.get(model) if model else None,
        layout,
        find_card("h200", CARDS),
        context_tokens_max=65_536,
        running_max=64,
        batched_tokens_max=4096,
        kv_dtype="bf16",
        memory_utilization=0.9,
    )


def test_nothing_that_a_plan_decides_is_left_to_the_engine() -> None:
    for layout in (Layout(1), Layout(8), Layout(16), Layout(2, 4, expert_parallel=True)):
        assert flags(layout).keys() >= ALWAYS


def test_limits_and_sizes() -> None:
    found = flags(Layout(4, 2, dcp=2, expert_parallel=True))
    assert found["max-model-len"] == 65_536
    assert found["max-num-seqs"] == 64
    assert found["max-num-batched-tokens"] == 4096
    assert found["gpu-memory-utilization"] == 0.9
    assert found["kv-cache-dtype"] == "bfloat16"
    assert found["tensor-parallel-size"] == 4
    assert found["data-parallel-size"] == 2
    assert found["enable-expert-parallel"] is True
    assert found["decode-context-parallel-size"] == 2
    assert found["dcp-comm-backend"] == "ag_rs"


@pytest.mark.parametrize(
    ("layout", "executor", "data_parallel"),
    [
        (Layout(1), "uni", {}),
        (Layout(8), "mp", {}),
        (Layout(2, 4), "mp", {}),
        (Layout(8, pp=2), "ray", {}),
        (Layout(1, 16), "ray", {"data-parallel-backend": "ray", "data-parallel-size-local": 8}),
        (Layout(4, 4), "ray", {"data-parallel-backend": "ray", "data-parallel-size-local": 2}),
        (Layout(16, 2), "ray", {"data-parallel-backend": "ray", "data-parallel-size-local": 1}),
    ],
    ids=str,
)
def test_ray_runs_what_is_on_several_nodes(
    layout: Layout, executor: str, data_parallel: Flags
) -> None:
    found = flags(layout)
    assert found["distributed-executor-backend"] == executor
    local = {name: found[name] for name in found if name in DATA_PARALLEL_OVER_NODES}
    assert local == data_parallel


DATA_PARALLEL_OVER_NODES = ("data-parallel-backend", "data-parallel-size-local")


def test_the_model_brings_its_parsers_and_recipe() -> None:
    found = flags(Layout(8))
    assert found["tool-call-parser"] == "deepseek_v32"
    assert found["reasoning-parser"] == "deepseek_v3"
    assert found["tokenizer-mode"] == "deepseek_v32"
    unknown = flags(Layout(8), None)
    assert not {"tool-call-parser", "reasoning-parser", "tokenizer-mode"} & unknown.keys()
