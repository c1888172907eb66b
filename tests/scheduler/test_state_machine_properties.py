"""What must hold under any interleaving of events.

A failing walk names its seed: ``Walk(Random(seed))`` goes the same way again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scheduler.walk import Walk

SEEDS = 20
LIVES_PER_SEED, STEPS_PER_LIFE = 20, 250  # 100,000 events in all


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_interleavings(seed: int) -> None:
    """No double dispatch, no lost request, no starvation, no cap exceeded, no compliance breach,
    and states that equal the sum of their parts, after each event."""
    for life in range(LIVES_PER_SEED):
        walk = Walk(Random(f"{seed}/{life}"))
        for _ in range(STEPS_PER_LIFE):
            walk.step()
        walk.settle()


@settings(max_examples=30)
@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_short_interleavings_that_can_be_shrunk(chance: Random, steps: int) -> None:
    walk = Walk(chance)
    for _ in range(steps):
        walk.step()
    walk.settle()


def digest(seed: str) -> str:
    walk = Walk(Random(seed))
    for _ in range(400):
        walk.step()
    walk.settle()
    return sha256(repr(walk.log).encode()).hexdigest()


def test_the_same_events_give_the_same_actions_in_any_process() -> None:
    """Sets and dictionaries of strings have another order under another hash seed."""
    code = f"from {__name__} import digest; print(*map(digest, 'abcde'))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(told) == 1
    assert len(set(told.pop().split())) == 5
