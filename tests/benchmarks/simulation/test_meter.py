from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.meter import Meter
from runtime.engine.load_meter import LoadMeter

STEPS = st.lists(
    st.tuples(st.floats(1e-3, 1), st.integers(0, 8_192), st.integers(0, 64)),
    max_size=30,
)


@given(STEPS)
def test_it_measures_what_the_meter_of_a_real_engine_measures(
    steps: list[tuple[float, int, int]],
) -> None:
    meter, real = Meter(), LoadMeter()
    ends = accumulate(step_s for step_s, *_ in steps)
    for end_s, (step_s, prefilled, decoded) in zip(ends, steps, strict=True):
        real.on_step(
            end_s,
            prompt_tokens=prefilled,
            output_tokens=decoded,
            preempted=0,
            first_step_s=step_s,
        )
        meter.on_step(step_s, prefilled, decoded)
    assert meter.prefill_tok_s == pytest.approx(real.prefill_tok_s)
    assert meter.decode_step_s == pytest.approx(real.decode_step_s)
    assert (meter.prefilled_tokens, meter.decoded_tokens) == (
        real.prefilled_tokens,
        real.decoded_tokens,
    )
    assert meter.steps == len(steps)
    assert meter.busy_s == pytest.approx(sum(step_s for step_s, *_ in steps))
