from __future__ import annotations

from benchmarks.simulation.clock import Clock


def test_events_happen_by_time_and_then_in_the_order_they_were_set() -> None:
    clock, seen = Clock(), []
    for when_s, name in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (3.0, "d")):
        clock.at(when_s, lambda name: seen.append((clock.now, name)), name)
    clock.run(lambda: len(seen) == 3)
    assert seen == [(1.0, "a"), (1.0, "b"), (2.0, "c")]
    clock.run(lambda: False)
    assert seen[-1] == (3.0, "d")
