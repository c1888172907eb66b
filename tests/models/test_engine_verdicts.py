"""Our rules against vLLM's own code, on a grid of models and layouts."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.cards import load_cards
from models.catalogue import load_catalogue
from models.layout import Layout
from models.planned_vllm_flags import engine_args
from models.recipes import load_recipes
from models.shape import DeltaNet, Format, Gqa, Mla, Shape
from models.sizing.quantized_blocks import (
    fp8_block,
    whole_blocks_of_experts,
    whole_blocks_of_linears,
)
from models.sizing.vllm_layout_rules import (
    context_split,
    context_split_when_sparse,
    experts_to_spread,
    inside_nodes,
    whole_feed_forward,
    whole_heads,
    whole_vocabulary,
)
from models.vllm_flags import LAYOUT_FLAGS, command_words, ranks_per_node
from runtime.engine.engine_settings import EngineSettings
from runtime.engine.vllm_adapter.command_line import command_line
from tests.models.shapes import ALL, DEEPSEEK_V3, DEEPSEEK_V32, GLM_5, QWEN3_235B, QWEN3_NEXT

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"
)

SIZES = (1, 2, 3, 4, 5, 6, 8, 12, 16, 32)
FP8_MODELS = {name: shape for name, shape in ALL.items() if fp8_block(shape.formats.dense)}

# By hand from the model files: what is split by its rows, and alone by its columns.
LINEARS = {
    "qwen3-235b": ([64 * 128], []),
    "qwen3-30b": ([32 * 128], []),
    "minimax": ([48 * 128], []),
    "deepseek-v3": ([128 * 128, 18_432, 2048], [128 * 192, 128 * 256]),
    "deepseek-v3.2": ([128 * 128, 18_432, 2048], [128 * 192, 128 * 256]),
    "glm-5": ([64 * 256, 12_288, 2048], [64 * 256, 64 * 448]),
    "qwen3-next": ([16 * 256, 32 * 128, 512], []),
    "v4-flash": ([8 * 1024], [64 * 512]),
}

Question = dict[str, Any]


def sizes(layout: Layout) -> Question:
    return {
        "tp": layout.tp,
        "pp": layout.pp,
        "dp": layout.dp,
        "dcp": layout.dcp,
        "ep": layout.expert_parallel,
    }


def config_questions() -> Iterator[tuple[Question, bool]]:
    """With each, whether our rules refuse it."""
    for shape in ALL.values():
        part = next(each for each in shape.attention if not isinstance(each, DeltaNet))
        windowed = any(
            not isinstance(each, Mla | DeltaNet)
            and (not isinstance(each, Gqa) or bool(each.window_tokens or each.chunk_tokens))
            for each in shape.attention
        )
        for tp in SIZES:
            for dcp in (1, 2, 3, 4, 8):
                for dp, expert_parallel in ((1, False), (2, True), (2, False)):
                    layout = Layout(tp, dp, 1, dcp, expert_parallel)
                    asked = {
                        "ask": "config",
                        **sizes(layout),
                        "heads": part.heads,
                        "kv_heads": part.kv_heads if isinstance(part, Gqa) else 1,
                        "mla": not isinstance(part, Gqa),
                        "experts": shape.moe.experts if shape.moe else 0,
                        "window": windowed,
                    }
                    heads_only = replace(shape, attention=(part,))  # divided later for delta nets
                    ours = (
                        whole_heads(heads_only, layout)
                        or context_split(shape, layout)
                        or (experts_to_spread(shape, layout) if shape.moe is None else None)
                    )
                    yield asked, ours is not None


def expert_questions() -> Iterator[tuple[Question, bool]]:
    for shape in ALL.values():
        if shape.moe is None:
            continue
        alone = replace(shape, feed_forward=(replace(shape.moe, shared_inter=0),))
        for tp in SIZES:
            for dp in (1, 2, 4):
                for expert_parallel in (False, True):
                    layout = Layout(tp, dp, expert_parallel=expert_parallel)
                    asked = {
                        "ask": "experts",
                        **sizes(layout),
                        "inter": shape.moe.inter,
                        "hidden": shape.hidden,
                        "block": fp8_block(shape.formats.routed),
                    }
                    if shape.formats.routed.name.startswith("int4"):
                        continue  # another class of the engine, which wants whole groups
                    ours = whole_feed_forward(alone, layout) or whole_blocks_of_experts(
                        alone, layout
                    )
                    yield asked, ours is not None


def linear_questions() -> Iterator[tuple[Question, bool]]:
    for name, shape in FP8_MODELS.items():
        rows, columns = LINEARS[name]
        for tp in (1, 2, 4, 8, 16, 32, 64):
            asked = {"ask": "linears", "tp": tp, "rows": rows, "columns": columns}
            yield asked, whole_blocks_of_linears(shape, Layout(tp)) is not None


def vocabulary_questions() -> Iterator[tuple[Question, bool]]:
    for shape in ALL.values():
        for tp in range(1, 65):
            asked = {"ask": "vocabulary", "vocab": shape.vocab, "tp": tp}
            yield asked, whole_vocabulary(shape, Layout(tp)) is not None


def sparse_questions() -> Iterator[tuple[Question, bool]]:
    for shape, heads in ((DEEPSEEK_V32, 128), (GLM_5, 64)):
        for tp in (1, 2, 4, 8, 16):
            for dcp in (size for size in (2, 4, 8, 16) if size <= tp):
                asked = {"ask": "sparse_heads", "heads": heads, "tp": tp, "dcp": dcp}
                yield asked, context_split_when_sparse(shape, Layout(tp, dcp=dcp)) is not None


def rank_questions() -> Iterator[tuple[Question, bool]]:
    """Data-parallel ranks over several nodes, as the engine's Ray back end places them."""
    for tp in (1, 2, 3, 4, 6, 8, 16, 24):
        for pp in (1, 2, 3):
            for dp in (2, 3, 4, 8):
                layout = Layout(tp, dp, pp)
                if layout.cards not in range(16, 65, 8) or max(tp, 8) % min(tp, 8):
                    continue  # part of a node, or half a TP group on each: ours is stricter
                asked = {
                    "ask": "ranks",
                    **sizes(layout),
                    "nodes": layout.nodes,
                    "dp_local": ranks_per_node(layout),
                    "span": tp * pp > 8,
                }
                yield asked, inside_nodes(QWEN3_235B, layout) is not None


def flag_questions() -> Iterator[tuple[Question, bool]]:
    """Every command that a plan of a catalogue model can give parses, in each kind of layout, and
    so does what an engine of that layout is started with."""
    layouts = (Layout(8), Layout(1, 16, expert_parallel=True), Layout(8, pp=2, dcp=8))
    for layout in layouts:
        sizes = {each.setting: getattr(layout, each.size) for each in LAYOUT_FLAGS}
        started = EngineSettings(model="m", checkpoint=Path("/m"), **sizes)
        yield {"ask": "flags", "words": command_line(started, "cuda")}, False
    for model in load_catalogue().models:
        for card in load_cards().values():
            for layout in layouts:
                args = engine_args(
                    model,
                    layout,
                    card,
                    context_tokens_max=4096,
                    running_max=32,
                    batched_tokens_max=8192,
                    kv_dtype="fp8",
                    memory_utilization=0.92,
                )
                yield {"ask": "flags", "words": command_words(args)}, False
    yield {"ask": "flags", "words": ["--swap-space=4"]}, True  # gone from the engine
    kept = EngineSettings(model="m", checkpoint=Path("/m"), vllm_flags={"block-size": 256})
    yield {"ask": "flags", "words": command_line(kept, "cuda")}, False


def environment_questions() -> Iterator[tuple[Question, bool]]:
    names = sorted({name for recipe in load_recipes() for name in recipe.env})
    yield {"ask": "environment", "names": [*names, "VLLM_RAY_DP_PACK_STRATEGY"]}, False
    yield {"ask": "environment", "names": ["VLLM_NO_SUCH"]}, True


GRID = {
    "config": config_questions,
    "experts": expert_questions,
    "linears": linear_questions,
    "vocabulary": vocabulary_questions,
    "sparse": sparse_questions,
    "ranks": rank_questions,
    "flags": flag_questions,
    "environment": environment_questions,
}


Verdicts = dict[str, list[tuple[Question, bool, str | None]]]


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    """Each question, whether we refuse, and the engine's refusal. All of them in one process:
    the engine takes ten seconds to import."""
    asked = {name: list(questions()) for name, questions in GRID.items()}
    program = Path(__file__).with_name("engine_verdicts.py")
    done = subprocess.run(
        [sys.executable, str(program)],
        input=json.dumps([question for pairs in asked.values() for question, _ in pairs]),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = iter(json.loads(done.stdout))
    return {
        name: [(question, ours, next(theirs)) for question, ours in pairs]
        for name, pairs in asked.items()
    }


@pytest.mark.parametrize("name", GRID)
def test_our_verdict_is_the_engines(name: str, verdicts: Verdicts) -> None:
    differ = [
        (question, "we refuse" if ours else "we accept", theirs)
        for question, ours, theirs in verdicts[name]
        if ours is not (theirs is not None)
    ]
    assert differ == []
    assert {ours for _, ours, _ in verdicts[name]} == {True, False}, "the grid should hold both"


def test_what_the_engine_splits_unevenly_is_legal_here() -> None:
    spread = Layout(3, 2, expert_parallel=True)
    assert experts_to_spread(QWEN3_NEXT, spread) is None
    assert experts_to_spread(DEEPSEEK_V3, spread) is None


def test_formats_without_blocks_have_no_block_rule() -> None:
    plain = Format("fp8_channel", 8)
    shape: Shape = replace(DEEPSEEK_V3, formats=replace(DEEPSEEK_V3.formats, dense=plain))
    assert fp8_block(plain) is None
    assert whole_blocks_of_linears(shape, Layout(16)) is None
