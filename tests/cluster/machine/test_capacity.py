"""Replicas that no machine holds are named before anybody waits for them."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.application_args import PoolArgs
from cluster.machine.capacity import WAIT_ENV, shortage

EIGHT_H200 = {"CPU": 96.0, "GPU": 8.0, "card:h200": 8.0}
NOTHING = {"CPU": 2.0}


def _pool(model: str = "m", card: str = "H200", replicas: int = 1, **engine: Any) -> PoolArgs:
    return PoolArgs(model=model, card=card, replicas=replicas, engine=engine)


@pytest.mark.parametrize(
    "pools",
    [
        [_pool(card="cpu", replicas=9, tensor_parallel=2)],
        [_pool(tensor_parallel=8)],
        [_pool(replicas=8)],
        [_pool(tensor_parallel=4), _pool("other", replicas=4)],
    ],
)
def test_what_fits(pools: list[PoolArgs]) -> None:
    assert shortage(pools, EIGHT_H200) is None


@pytest.mark.parametrize(
    ("pools", "held", "told"),
    [
        (
            [_pool(tensor_parallel=8)],
            NOTHING,
            "pool m (1 replica) needs 8 × H200, and this machine has none: ",
        ),
        (
            [_pool(replicas=2, tensor_parallel=8)],
            EIGHT_H200,
            "pool m (2 replicas) needs 16 × H200, and this machine has 8 × H200: ",
        ),
        (
            [_pool(card="H20", tensor_parallel=8)],
            EIGHT_H200,
            "pool m (1 replica) needs 8 × H20, and this machine has 8 × H200: ",
        ),
        (
            [_pool(tensor_parallel=4), _pool("other", tensor_parallel=8)],
            EIGHT_H200,
            "pool m (1 replica, with the other pools of that card) needs 12 × H200, and this "
            "machine has 8 × H200: ",
        ),
        (
            [_pool(tensor_parallel=8)],
            {"CPU": 96.0, "GPU": 8.0},
            "needs 8 × H200, and this machine has 8 unknown cards: ",
        ),
        (
            [_pool(replicas=8)],
            {**EIGHT_H200, "CPU": 4.0},
            "pool m (8 replicas) needs 8 CPU cores, and this machine has 4: ",
        ),
        (
            [_pool(data_parallel=16, expert_parallel=True)],
            {"CPU": 96.0, "GPU": 16.0, "card:h200": 16.0},
            "pool m spreads each replica over 2 machines: ",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    pools: list[PoolArgs], held: dict[str, float], told: str
) -> None:
    line = shortage(pools, held)
    assert line is not None
    assert told in line
    assert "\n" not in line
    assert "`serve run` it on a cluster" in line
    assert WAIT_ENV in line
