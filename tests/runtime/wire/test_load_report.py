"""Lines of a load stream: a report, or nothing and counted."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.fault_script import ABSURD_REPORTS, ENDLESS_REPORT
from runtime.engine.load_meter import LoadMeter
from runtime.request_limits import refusals
from runtime.wire.load_report import decode_load, encode_load
from scheduler.pool.replica_state import is_plausible
from scheduler.replica import EngineLimits, EngineLoad, LoadReport, Replica

REPLICA = Replica("r", "m", 7, EngineLimits(1000, 1000, 8, 100))
HONEST: dict[str, Any] = json.loads(encode_load(LoadMeter().load(1000)))


def test_what_a_meter_tells_is_read_whole() -> None:
    report = decode_load(json.dumps({**HONEST, "running": 3, "newer": "x"}).encode(), REPLICA)
    assert report is not None
    assert (report.replica_id, report.generation, report.running) == ("r", 7, 3)
    assert {each.name for each in dataclasses.fields(LoadReport)} == {
        "replica_id",
        "generation",
        *HONEST,
    }


NUMBERS = st.floats(allow_nan=False) | st.integers()


@given(st.builds(EngineLoad, **dict.fromkeys(HONEST, NUMBERS)))
def test_what_is_written_is_read_again_as_it_was(load: EngineLoad) -> None:
    report = decode_load(encode_load(load), REPLICA)
    assert report is not None
    assert [getattr(report, name) for name in HONEST] == [getattr(load, name) for name in HONEST]


def test_totals_that_an_older_engine_does_not_count_are_nothing() -> None:
    totals = ("busy_s", "steps", "prefilled_tokens", "decoded_tokens")
    told = {name: value for name, value in HONEST.items() if name not in totals}
    report = decode_load(json.dumps(told).encode(), REPLICA)
    assert report is not None
    assert [getattr(report, name) for name in totals] == [0] * 4
    del told["waiting"]
    assert decode_load(json.dumps(told).encode(), REPLICA) is None


@pytest.mark.parametrize("line", [*ABSURD_REPORTS, ENDLESS_REPORT, b"", b"[" * 100_000])
def test_an_absurd_line_is_no_report_or_not_plausible(line: bytes) -> None:
    before = refusals["load_report_unreadable"]
    report = decode_load(line, REPLICA)
    if report is None:
        assert refusals["load_report_unreadable"] == before + 1
    else:
        assert not is_plausible(report, REPLICA.limits)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(st.sampled_from(sorted(HONEST)), VALUES)
def test_whatever_stands_in_a_field_can_be_judged(name: str, value: Any) -> None:
    report = decode_load(json.dumps({**HONEST, name: value}).encode(), REPLICA)
    if report is not None:
        assert is_plausible(report, REPLICA.limits) in (True, False)
