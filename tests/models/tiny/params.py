"""The size of the tiny model, counted from its tensors."""

from __future__ import annotations

import numpy as np

from models.tiny.weights import TINY, tensor_shapes


def active_params(vocab_size: int) -> int:
    """Parameters that one token passes through: all but the experts that were not chosen."""
    total = sum(int(np.prod(shape)) for shape in tensor_shapes(vocab_size).values())
    expert = 3 * TINY.expert_hidden * TINY.hidden
    return total - TINY.layers * (TINY.experts - TINY.experts_per_token) * expert
