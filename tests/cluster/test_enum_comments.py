from __future__ import annotations

from enum import StrEnum

import pytest

from cluster.enum_comments import NoMeaning, commented
from scheduler.decision import Reason


class Told(StrEnum):
    """ONE = "not a member"  # in a docstring"""

    ONE = "one"  # the first
    TWO = "two, # with a sign"  # the second, of "two"


class Mute(StrEnum):
    ONE = "one"  # the first
    TWO = "two"


def test_a_member_means_what_stands_beside_it() -> None:
    assert commented(Told) == {"one": "the first", "two, # with a sign": 'the second, of "two"'}


def test_a_member_without_a_comment_is_refused() -> None:
    with pytest.raises(NoMeaning, match=r"Mute\.TWO has no meaning"):
        commented(Mute)


def test_every_value_of_a_real_one_is_there() -> None:
    assert list(commented(Reason)) == [each.value for each in Reason]
    assert commented(Reason)["held"] == "waited in the queue, then a replica had room"
