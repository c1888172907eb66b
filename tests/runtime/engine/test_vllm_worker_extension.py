"""What a worker holds, counted on real modules."""

from __future__ import annotations

import pytest

from runtime.engine.vllm_worker_extension import WorkerFacts

torch = pytest.importorskip("torch")


class _Worker(WorkerFacts):
    def __init__(self, model: object) -> None:
        self._model = model

    def get_model(self) -> object:
        return self._model


def test_each_weight_counts_once_at_its_own_width() -> None:
    shared = torch.nn.Parameter(torch.empty(3, 4, dtype=torch.bfloat16))
    narrow = torch.nn.Parameter(torch.empty(5, dtype=torch.int8), requires_grad=False)
    model = torch.nn.Module()
    model.embedding, model.head = torch.nn.Module(), torch.nn.Module()
    model.embedding.weight = model.head.weight = shared
    model.head.scale = narrow
    assert _Worker(model).baseload_weights_bytes() == 3 * 4 * 2 + 5


def test_a_weight_that_was_packed_away_counts_with_the_size_that_its_layer_has() -> None:
    empty = torch.nn.Parameter(torch.empty(0, dtype=torch.bfloat16), requires_grad=False)
    whole, slice_ = torch.nn.Module(), torch.nn.Module()
    whole.weight = empty
    whole.input_size, whole.output_size = 10, 20
    slice_.weight = torch.nn.Parameter(torch.empty(0, dtype=torch.bfloat16), requires_grad=False)
    slice_.input_size, slice_.output_size = 10, 20
    slice_.input_size_per_partition, slice_.output_size_per_partition = 10, 5
    model = torch.nn.ModuleList([whole, slice_])
    assert _Worker(model).baseload_weights_bytes() == 2 * (200 + 50)
