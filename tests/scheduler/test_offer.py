"""The most that a request can cost at an offer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.money import format_usd
from scheduler.arrival import Worst
from scheduler.decision import Buy, Hold
from scheduler.settings import Settings, SpillSettings
from scheduler.state_machine import Scheduler
from tests.scheduler.given import arrival, offer, only, price

PER_TOKEN = price(input_pico=1_000, output_pico=4_000)  # 1 and 4 nano-USD


@pytest.mark.parametrize(
    ("worst", "limits", "most"),
    [
        (None, {}, 100 + 4 * 100),  # the sizes are exact
        (Worst(700, 1, 30), {}, 700 + 4 * 30),
        (Worst(700, 3, 30), {"output_tokens_max": 5}, 700 + 4 * 3 * 30),  # the caller's own
        (Worst(700, 3, None), {"output_tokens_max": 50}, 700 + 4 * 3 * 50),
        (Worst(700, 2, None), {}, 700 + 4 * 2 * 8_000),  # the context
    ],
)
def test_the_most_that_a_request_can_cost(
    worst: Worst | None, limits: dict[str, Any], most: int
) -> None:
    assert offer(at=PER_TOKEN, **limits).most_nano(arrival(worst=worst)) == most
    assert offer(at=None, **limits).most_nano(arrival(worst=worst)) is None


def test_a_cached_prompt_that_is_dearer_counts_as_one() -> None:
    dear = replace(PER_TOKEN, cached_input_pico=2_000)
    assert offer(at=dear).most_nano(arrival(worst=Worst(700, 1, 30))) == 2 * 700 + 4 * 30


def test_caps_count_the_most_and_not_what_is_expected() -> None:
    most = 700 + 4 * 30
    for cap, fits in ((most, True), (most - 1, False)):
        settings = Settings(spill=SpillSettings(usd_per_hour_max=format_usd(cap)))
        scheduler = Scheduler(settings, [offer(at=PER_TOKEN)])
        action = only(scheduler.on_arrival(arrival(worst=Worst(700, 1, 30)), 0.0))
        assert isinstance(action, Buy if fits else Hold)
        assert scheduler.snapshot(0.0).spill_nano_last_hour == (most if fits else 0)
