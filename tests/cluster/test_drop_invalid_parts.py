"""A part of a file is read on without its mistakes, and it is known what they were."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.application_args import PoolArgs
from cluster.drop_invalid_parts import Repaired, repaired
from cluster.profile import MADE_UP

POOL = {"model": "tiny-moe", "card": "cpu"}


def pool(**fields: Any) -> Repaired[PoolArgs]:
    found = repaired(PoolArgs, POOL | fields, MADE_UP)
    assert found is not None
    return found


def test_a_misspelt_field_is_read_as_the_one_that_it_can_only_mean() -> None:
    found = pool(replica=2)
    assert found.part.replicas == 2
    assert found.touched == {("replica",), ("replicas",)}


def test_one_that_stands_beside_its_namesake_is_left_out() -> None:
    found = pool(replica=2, replicas=3)
    assert found.part.replicas == 3
    assert found.touched == {("replica",)}


def test_a_wrong_value_is_left_out_and_nothing_is_said_of_its_place() -> None:
    found = pool(autoscaling={"replicas_max": "many", "prometheus": "http://p:1"})
    assert found.part.autoscaling is None
    assert found.is_about(("autoscaling", "replicas_max"))
    assert not found.is_about(("card",))


def test_what_is_missing_is_made_up() -> None:
    found = repaired(PoolArgs, {"model": "tiny-moe"}, MADE_UP)
    assert found is not None
    assert found.part.card == ""
    assert found.touched == {("card",)}
    assert pool(card_usd_per_hour="2,30").is_about(("card_usd_per_hour",))


@pytest.mark.parametrize("data", [None, "x", [1], 7])
def test_what_is_no_part_at_all_stays_none(data: Any) -> None:
    assert repaired(PoolArgs, data, MADE_UP) is None


def test_the_file_itself_stays_as_it_is() -> None:
    data = {"model": "tiny-moe", "card": "cpu", "replica": 2}
    repaired(PoolArgs, data, MADE_UP)
    assert data == {"model": "tiny-moe", "card": "cpu", "replica": 2}
