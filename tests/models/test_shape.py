from __future__ import annotations

from models.hf.config import shape_of
from models.shape import Moe
from tests.models.published import GLM_45, QWEN3_NEXT


def test_layers_count_every_kind_of_attention() -> None:
    assert shape_of(GLM_45).layers == 92
    assert shape_of(QWEN3_NEXT).layers == 48


def test_the_experts_are_found_behind_dense_layers() -> None:
    assert shape_of(GLM_45).moe == Moe(89, 160, 8, 1536, shared_inter=1536)


def test_a_shape_can_be_a_key() -> None:
    assert {shape_of(GLM_45): 1}[shape_of(GLM_45)] == 1
