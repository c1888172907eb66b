from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulation.engine import EngineRequest, SimReplica
from benchmarks.simulation.pace import decode_s, decoded_at_least, shares_left
from tests.benchmarks.simulation.best_schedule import PROFILE, replica_of

ROOMY = replace(PROFILE, kv_tokens_max=100_000, running_max=6, context_tokens_max=1_000)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from((32, 128, 512)))
def test_an_engine_is_never_slower_than_the_pace(seed: int, batched_tokens_max: int) -> None:
    random, profile = Random(seed), replace(ROOMY, batched_tokens_max=batched_tokens_max)
    engine = SimReplica(profile, replica_of(profile), 16)
    begun_s: dict[str, float] = {}
    sent = [
        EngineRequest(f"r{index}", random.choice((5, 60, 300)), random.choice((1, 9, 80)))
        for index in range(25)
    ]
    waiting, now, under_way = list(sent), 0.0, True
    while waiting or under_way:
        for _ in range(random.randint(0, 3)):
            if waiting:
                engine.push(waiting.pop())
        end_s = engine.begin_step(now)
        under_way = end_s is not None
        if end_s is None:
            continue
        for request in engine._prefilling or ():
            if request._prefill_left < request.prompt_tokens:
                begun_s.setdefault(request.request_id, now)
        for request in engine._prefilled:
            begun_s.setdefault(request.request_id, now)
        now = end_s
        for told in engine.end_step():
            least = decoded_at_least(
                now - begun_s[told.request_id],
                np.array([float(told.prompt_tokens)]),
                np.array([told.output_tokens - 1.0]),
                profile,
            )
            assert told.tokens_out - 1 >= least[0]


def test_the_pace_is_that_of_full_steps() -> None:
    """Two steps read the prompt, and the third decodes: each of at most 0.01 + 0.008 + 0.006 +
    0.128 s."""
    prompt, decoded = np.array([100.0]), np.array([3.0])
    done = [
        decoded_at_least(0.152 * steps + 0.001, prompt, decoded, PROFILE)[0] for steps in range(8)
    ]
    assert done == [0, 0, 0, 1, 2, 3, 3, 3]


def test_where_decoding_may_fill_the_batch_there_is_no_pace() -> None:
    stuck = replace(PROFILE, running_max=128)
    assert decoded_at_least(1e6, np.array([1.0]), np.array([9.0]), stuck)[0] == 0


def test_a_class_has_as_much_left_as_the_slowest_of_it() -> None:
    prompt, decoded = np.array([100.0, 100.0, 100.0]), np.array([2.0, 4.0, 0.0])
    left = shares_left(
        prompt, decoded, PROFILE, np.array([0, 0, 1]), by_context=False, slots=9, slot_s=0.1521
    )
    whole_s = decode_s(decoded, prompt, PROFILE, by_context=False)
    one_s = decode_s(np.array([1.0]), prompt[:1], PROFILE, by_context=False)[0]
    assert list(left[0, :3]) == [1, 1, 1]
    assert left[0, 3] == pytest.approx(1 - one_s / whole_s[1])
    assert np.all(np.diff(left[0]) <= 0)
    assert not left[0, 7:].any()
    assert not left[1].any()
