from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.tiny.weights import (
    BIAS_CHANNEL,
    BIAS_INPUT,
    TINY,
    bfloat16_bits,
    make_weights,
    tensor_shapes,
)

VOCAB = 32
END = 2
SILENT = (0, 1, 7)


def as_bfloat16(value: float) -> float:
    bits = bfloat16_bits(np.array([value], dtype=np.float32)).astype(np.uint32) << 16
    return float(bits.view(np.float32)[0])


def test_the_same_seed_gives_the_same_weights_and_another_does_not() -> None:
    one, two = (make_weights(7, VOCAB, SILENT, END) for _ in range(2))
    other = make_weights(8, VOCAB, SILENT, END)
    assert one.keys() == tensor_shapes(VOCAB).keys()
    for name, values in one.items():
        assert values.shape == tensor_shapes(VOCAB)[name]
        assert np.array_equal(values, two[name])
    assert not np.array_equal(one["lm_head.weight"], other["lm_head.weight"])


def test_no_layer_writes_to_the_bias_channel() -> None:
    weights = make_weights(0, VOCAB, SILENT, END)
    assert np.all(weights["model.embed_tokens.weight"][:, BIAS_CHANNEL] == BIAS_INPUT)
    writers = [name for name in weights if name.endswith(("o_proj.weight", "down_proj.weight"))]
    assert len(writers) == TINY.layers * 9
    for name in writers:
        assert not weights[name][BIAS_CHANNEL].any()


def test_the_bias_alone_decides_over_silent_tokens_and_the_end() -> None:
    output = make_weights(0, VOCAB, SILENT, END)["lm_head.weight"]
    biased = output[[*SILENT, END]]
    assert np.count_nonzero(np.delete(biased, BIAS_CHANNEL, axis=1)) == 0
    assert np.all(biased[:-1, BIAS_CHANNEL] < -5)
    assert 0 < biased[-1, BIAS_CHANNEL] < 2
    ordinary = np.delete(output, [*SILENT, END], axis=0)
    assert not ordinary[:, BIAS_CHANNEL].any()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_bfloat16_is_the_nearest_of_its_neighbours(value: float) -> None:
    rounded = as_bfloat16(value)
    if math.isinf(rounded):
        assert abs(value) > 3.38e38
    else:
        assert abs(rounded - value) <= abs(value) * 2**-8


def test_bfloat16_ties_go_to_even() -> None:
    ulp = 2.0**-7
    assert as_bfloat16(1.0 + ulp / 2) == 1.0
    assert as_bfloat16(1.0 + 3 * ulp / 2) == 1.0 + 2 * ulp
    assert as_bfloat16(-3.140625) == -3.140625
