from __future__ import annotations

import asyncio

import pytest

from runtime.requests_in_flight import InFlight
from tests.runtime.virtual_time import now_s, run_in_virtual_time


async def _waited_s(underway: InFlight, *take_s: float, wait_s_max: float = 5.0) -> float:
    async def request(takes_s: float) -> None:
        with underway.one():
            await asyncio.sleep(takes_s)

    requests = [asyncio.ensure_future(request(each)) for each in take_s]
    await asyncio.sleep(0)
    assert underway.count == len(take_s)
    await underway.ended(wait_s_max)
    waited_s = now_s()
    await asyncio.gather(*requests)
    return waited_s


@pytest.mark.parametrize(
    ("take_s", "waited_s"), [((), 0.0), ((0.5, 1.0), 1.0), ((1.0, 6.0), 5.0), ((5.0,), 5.0)]
)
def test_the_wait_ends_with_the_last_request_or_in_its_time(
    take_s: tuple[float, ...], waited_s: float
) -> None:
    assert run_in_virtual_time(_waited_s(InFlight(), *take_s)) == pytest.approx(waited_s)


def test_no_time_is_waited_where_none_is_given() -> None:
    assert run_in_virtual_time(_waited_s(InFlight(), 1.0, wait_s_max=0.0)) == 0.0


def test_it_waits_again_for_those_who_came_later() -> None:
    async def twice() -> float:
        underway = InFlight()
        await _waited_s(underway, 1.0)
        return await _waited_s(underway, 2.0)

    assert run_in_virtual_time(twice()) == pytest.approx(3.0)


def test_a_request_that_breaks_has_ended() -> None:
    underway = InFlight()
    with pytest.raises(ValueError, match="defect"), underway.one():
        raise ValueError("a defect")
    assert underway.count == 0
