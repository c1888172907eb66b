from __future__ import annotations

from dataclasses import replace

import pytest

from models.hf.config import shape_of
from models.sizing.tensors import VOCAB_MULTIPLE, Share, tensors
from tests.models.published import FILES, GLM_45, published


@pytest.mark.parametrize("name", FILES)
def test_only_experts_and_the_embedding_are_passed_by(name: str) -> None:
    for part in tensors(published(name)):
        assert part.weight_bytes > 0
        if part.share is Share.ROUTED:
            assert 0 < part.active_params < part.params
        elif part.part != "embedding":
            assert part.active_params == part.params


@pytest.mark.parametrize(
    ("name", "billions"),
    [  # as published
        ("DeepSeek-V3/R1", 37),
        ("V4-Flash", 13),
        ("V4-Pro", 49),
        ("Qwen3-235B FP8", 22),
        ("Qwen3-30B FP8", 3.3),
        ("Coder-480B FP8", 35),
        ("GLM-4.5/4.6 FP8", 32),
        ("GLM-5 FP8", 40),
        ("Kimi-K2 FP8", 32),
        ("MiniMax-M2/M2.5 FP8", 10),
        ("gpt-oss-120b", 5.1),
        ("gpt-oss-20b", 3.6),
        ("Maverick BF16", 17),
        ("Mixtral BF16", 12.9),
        ("Qwen3.5-397B", 17),
    ],
)
def test_active_parameters_are_about_the_published_ones(name: str, billions: float) -> None:
    """Publishers differ in whether they count the embedding: up to a tenth here."""
    active = sum(part.active_params for part in tensors(published(name)))
    assert active / 1e9 == pytest.approx(billions, rel=0.10)


def test_tied_embeddings_are_one_matrix() -> None:
    shape = shape_of(GLM_45)
    tied = replace(shape, tied_embeddings=True)
    matrix = shape.vocab * shape.hidden
    assert sum(part.params for part in tensors(shape)) == matrix + sum(
        part.params for part in tensors(tied)
    )
    active = {sum(part.active_params for part in tensors(each)) for each in (shape, tied)}
    assert len(active) == 1


def test_vocabularies_are_padded_as_the_engine_does() -> None:
    shape = replace(shape_of(GLM_45), vocab=1000)
    output = next(part for part in tensors(shape) if part.part == "output")
    assert output.params == 1024 * shape.hidden
    assert 1024 % VOCAB_MULTIPLE == 0


def test_what_is_never_cut() -> None:
    units = {part.part: part.units for part in tensors(published("gpt-oss-120b"))}
    assert units["experts"] == 128
    assert units["attention_kv"] == 8
    assert units["attention_q"] is None
