"""Names and patterns of modules: what they stand for, never run as regular expressions."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hf.globs import GLOBS_MAX, PATTERN_CHARS_MAX, as_globs
from models.hf.modules import Kind, Reach, reach

LAYERS = 4
ROUTED, ATTENTION, DENSE = Kind.ROUTED, Kind.ATTENTION, Kind.DENSE
PATHS = [
    f"model.layers.{layer}.{leaf}"
    for layer in (0, 12)
    for leaf in (
        "self_attn.q_proj",
        "mlp.gate",
        "mlp.gate_proj",
        "mlp.experts.3.down_proj",
        "mlp.shared_experts.up_proj",
        "input_layernorm",
    )
]


@pytest.mark.parametrize(
    ("entry", "whole"),
    [
        ("re:.*self_attn.*", {ATTENTION}),
        ("re:.*self_attn", {ATTENTION}),
        ("*.attn.*", {ATTENTION}),
        ("model.language_model.layers.*.linear_attn*", {ATTENTION}),
        ("LlamaAttention", {ATTENTION}),
        ("re:.*mlp\\.(gate|up|gate_up|down)_proj.*", {DENSE}),
        ("re:.*feed_forward.(gate|up|down)_proj", {DENSE}),
        ("re:.*shared_experts?\\..*", {DENSE}),
        ("shared_expert", {DENSE}),
        ("re:.*layers\\.\\d+\\.mlp\\.experts\\..*", {ROUTED}),
        ("re:.*layers\\.[0-9]+\\.mlp\\.experts\\.[0-9]+\\.\\w+$", {ROUTED}),
        ("block_sparse_moe.experts", {ROUTED}),
        ("re:.*experts.*", {ROUTED, DENSE}),  # shared ones, too
        ("mlp", {ROUTED, DENSE}),
        ("re:^model\\.layers\\..*", set(Kind)),
        ("Linear", set(Kind)),
        ("re:.*mlp.gate$", set()),
        ("mlp.gate", set()),
        ("lm_head", set()),
        ("RMSNorm", set()),
        ("model.layers.0.self_attn.kv_a_layernorm", set()),
        ("re:.*vision_tower.*", set()),
        ("vision_model.encoder.layers.0.self_attn", set()),
        ("mtp.layers.0.self_attn", set()),
        (f"model.layers.{LAYERS}.eh_proj", set()),  # of a draft model
    ],
)
def test_an_entry_stands_for_whole_kinds(entry: str, whole: set[Kind]) -> None:
    assert reach([entry], LAYERS) == Reach(frozenset(whole))


@pytest.mark.parametrize(
    ("entries", "part"),
    [
        (["model.layers.0.self_attn"], {ATTENTION: 0.25}),
        (["model.layers.0.self_attn", "model.layers.3.self_attn*"], {ATTENTION: 0.5}),
        (["re:model.layers.(0|1|2).self_attn.*"], {ATTENTION: 0.75}),
        (["language_model.model.layers.1*"], dict.fromkeys(Kind, 0.25)),
        (["re:.*layers\\.1[0-9]\\.self_attn.*"], {ATTENTION: 0.5}),  # some, not worked out
        (["re:.*layers\\.1\\d*\\.self_attn.*"], {ATTENTION: 0.5}),
        (["re:.*self_attn\\.(q_a|q_b)_proj"], {ATTENTION: 1.0}),
        (["model.layers.*.mlp.experts.3"], {ROUTED: 1.0}),
        (["re:.*gate_proj"], {ROUTED: 1.0, DENSE: 1.0}),
    ],
)
def test_an_entry_stands_for_a_part(entries: list[str], part: dict[Kind, float]) -> None:
    assert reach(entries, LAYERS) == Reach(part=part)


def test_all_layers_one_by_one_are_the_whole() -> None:
    names = [f"model.layers.{layer}.self_attn" for layer in range(LAYERS)]
    assert reach(names, LAYERS) == Reach(frozenset({ATTENTION}))
    matrices = [f"{name}.{leaf}_proj" for name in names for leaf in "qkvo"]
    assert reach(matrices, LAYERS).whole == {ATTENTION}
    assert reach(matrices[:-1], LAYERS).part == {ATTENTION: 1.0}


def test_a_layer_by_itself_is_no_matrix() -> None:
    assert reach(["re:.*layers\\.[0-9]$"], LAYERS).part == {}
    assert reach(["model.layers.2"], LAYERS).part == dict.fromkeys(Kind, 0.25)


def test_what_is_not_understood_is_told_apart() -> None:
    found = reach(["re:(a+)+$", "x[0]", "", "blocks.3.attn.Wqkv", "lm_head"], LAYERS)
    assert found.unread == ("re:(a+)+$", "x[0]", "")
    assert found.unknown == ("blocks.3.attn.Wqkv",)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(?!x).*", "(?i)attn", "a{2}", "(a|(b|c))", "a\\b", "[^a]", "(ab)*", "\\1", "(a"],
)
def test_an_expression_that_is_not_simple_is_not_read(pattern: str) -> None:
    assert as_globs(f"re:{pattern}") is None


def test_an_entry_has_an_end() -> None:
    assert as_globs("a" * (PATTERN_CHARS_MAX + 1)) is None
    assert as_globs("re:" + "(a|b)" * 7) is None  # 128 alternatives
    assert as_globs("re:" + "|".join("a" * (GLOBS_MAX + 1))) is not None  # all the same
    assert len(as_globs("re:" + "(a|b)" * 6) or ()) == GLOBS_MAX


_PIECES = st.sampled_from(
    [
        *(".*", "\\.", ".", "\\d+", "[0-9]+", "self_attn", "mlp", "experts?", "layers", "model"),
        *("(gate|up)_proj", "(?:q|k|v)_proj", "gate", "^", "$", "|", "0", "12", "shared_experts"),
    ]
)


@given(st.lists(_PIECES, min_size=1, max_size=7).map("".join))
def test_an_expression_that_is_read_means_what_it_means_to_the_engine(pattern: str) -> None:
    """A glob may reach more than the expression (digits stand for any text), never less."""
    globs = as_globs(f"re:{pattern}")
    if globs is None or re.search(r"[$^]", pattern[1:-1]):
        return
    for path in PATHS:
        if re.match(pattern, path):
            assert any(fnmatchcase(path, glob) for glob in globs), (pattern, path)
        elif "\\d" not in pattern and "[0-9]" not in pattern:
            assert not any(fnmatchcase(path, glob) for glob in globs), (pattern, path)


@given(st.text(max_size=40) | st.text("re:.*\\()|[]?+{}^$ab_0", max_size=40).map("re:".__add__))
def test_any_entry_is_read_or_told_apart(entry: str) -> None:
    found = reach([entry], LAYERS)
    assert found.whole | set(found.part) <= set(Kind)
    assert (as_globs(entry) is None) >= bool(found.unread)
