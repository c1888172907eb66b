"""What an attempt's end means: for the next attempt, and for its target's breaker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.ledger.rows import Ending
from scheduler.pool.circuit_breaker import BreakerState, Condition
from tests.runtime.parts import MODEL, Stack, chat, stack, until
from tests.runtime.raw_vendors import (
    END,
    FINISH,
    LAST,
    STREAM,
    Answer,
    Visit,
    content,
    event,
    http,
    says,
    well,
)
from tests.runtime.raw_vendors import Vendor as RawVendor
from tests.runtime.raw_vendors import vendor as raw_vendor
from tests.runtime.vendors import (
    DONE,
    FIRST,
    ROLE,
    SECOND,
    delta,
    message,
    prices,
    settled,
    streamed,
    two,
    usage,
    whole,
)

GOOD = streamed(ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE)
ONE_FAILURE = {"circuit_breaker": {"failures": 1, "open_ms": 50}}


def _condition(s: Stack, name: str = FIRST) -> Condition:
    views = s.gateway._scheduler.snapshot(s.gateway.clock.monotonic_s()).offers
    return next(view.breaker for view in views if view.target.id.startswith(name))


# C12: a refusal of content is final


def _refused(status: int, error: dict[str, Any]) -> list[bytes]:
    return [http(status, json.dumps({"error": {"message": "not this", **error}}).encode())]


FILTERED = {
    "Azure": _refused(400, {"code": "content_filter", "status": 400}),
    "an inner code": _refused(400, {"innererror": {"code": "ResponsibleAIPolicyViolation"}}),
    "OpenRouter": _refused(403, {"code": 403, "metadata": {"reasons": ["violence"]}}),
    "Alibaba, as its own trouble": _refused(500, {"code": "data_inspection_failed"}),
    "Zhipu": _refused(400, {"code": "1301"}),
    "in a stream": streamed(ROLE, {"error": {"message": "not this", "code": "content_filter"}}),
    "in a stream, flagged": streamed(
        {"error": {"message": "not this", "code": 403, "metadata": {"flagged_input": "x"}}}
    ),
}


@pytest.mark.parametrize("name", FILTERED)
async def test_c12_what_one_model_refuses_for_its_content_no_other_is_asked(
    tmp_path: Path, name: str
) -> None:
    async with two(tmp_path, FILTERED[name], GOOD, ONE_FAILURE) as s:
        answer = await s.post(chat(stream=True))
        error = (await answer.json())["error"]
        assert (answer.status, error["code"]) == (400, "content_filter")
        assert error["message"] == "not this"
        await s.idle()
        (row,) = settled(s)
        assert _condition(s).state is BreakerState.CLOSED
    assert (row["ending"], row["outcome"]) == (Ending.VOID, "client_error: content_filter")


@pytest.mark.parametrize("streams", [True, False])
async def test_c12_an_answer_that_a_filter_ended_is_the_answer(
    tmp_path: Path, streams: bool
) -> None:
    said = streamed(ROLE, delta("", "content_filter"), usage(8, 0), DONE)
    in_one = whole(message("", "content_filter"))
    async with two(tmp_path, said if streams else in_one, GOOD) as s:
        answer = await s.post(chat(stream=streams))
        assert answer.status == 200
        assert b"content_filter" in await answer.read()
        await s.idle()
        (row,) = settled(s)
    assert row["target"].startswith(f"offer:{FIRST}")


# C14: passing trouble


@pytest.mark.parametrize("status", [520, 521, 522, 523, 524, 529])
async def test_c14_passing_trouble_sends_the_request_elsewhere_and_is_no_failure(
    tmp_path: Path, status: int
) -> None:
    async with two(tmp_path, [http(status, b"busy", "Retry-After: 90")], GOOD, ONE_FAILURE) as s:
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{SECOND}")
        await s.idle()
        condition = _condition(s)
        assert condition.state is BreakerState.PAUSED
        assert 80 < condition.left_s <= 90
        failed, good = settled(s)
    assert failed["outcome"].startswith("target_busy")
    assert good["outcome"] == "ok"


@pytest.mark.parametrize("status", [400, 413, 422, 451])
async def test_c12_the_callers_own_fault_is_told_and_not_tried_elsewhere(
    tmp_path: Path, status: int
) -> None:
    async with two(tmp_path, _refused(status, {}), GOOD, ONE_FAILURE) as s:
        answer = await s.post(chat(stream=True))
        assert answer.status == status
        await s.idle()
        assert _condition(s).state is BreakerState.CLOSED
        assert len(settled(s)) == 1


# C3, C4, C5: probes


class _Moods:
    """A vendor that answers in one way until the test says another."""

    def __init__(self) -> None:
        self.now: Answer = says(500)

    async def __call__(self, visit: Visit) -> None:
        await self.now(visit)


async def _half_open(s: Stack) -> None:
    """Two failures have opened it, and its time is over."""
    for _ in range(2):
        answer = await s.post(chat())
        assert answer.status >= 429
    assert _condition(s).state is not BreakerState.CLOSED
    await until(lambda: _condition(s).state is BreakerState.HALF_OPEN)


def _hangs(go: asyncio.Event) -> Answer:
    async def answer(visit: Visit) -> None:
        await go.wait()
        visit.say(http(500))

    return answer


@asynccontextmanager
async def _one_vendor(
    tmp_path: Path, moods: _Moods, lease_ms: int = 400
) -> AsyncIterator[tuple[Stack, RawVendor]]:
    async with raw_vendor(**{MODEL: moods}) as raw:
        config = {
            "providers": {FIRST: raw.account(**{MODEL: MODEL})},
            "circuit_breaker": {"failures": 2, "open_ms": 100, "probe_ms_max": lease_ms},
            "queue": {"wait_ms_max": 3_000},
            "stream": {"attempts_max": 1},
        }
        async with stack(tmp_path, scripts=[], config=config, prices=prices()) as s:
            await _half_open(s)
            yield s, raw


async def test_c3_a_probe_that_never_answers_keeps_its_target_no_longer_than_its_lease(
    tmp_path: Path,
) -> None:
    moods, go = _Moods(), asyncio.Event()
    async with _one_vendor(tmp_path, moods) as (s, raw):
        moods.now = _hangs(go)
        probe = asyncio.ensure_future(s.post(chat(stream=True)))
        await until(lambda: len(raw.asked) == 3)
        moods.now = well
        answer = await s.post(chat(stream=True))  # waits until the lease has ended
        assert answer.status == 200
        assert len(raw.asked) == 4
        assert _condition(s).state is BreakerState.CLOSED
        go.set()  # what the old probe learns now opens nothing
        assert (await probe).status == 502
        assert _condition(s).state is BreakerState.CLOSED
        await s.idle()


@pytest.mark.parametrize("status", [400, 422])
async def test_c4_a_probe_that_was_the_callers_fault_gives_its_lease_back(
    tmp_path: Path, status: int
) -> None:
    moods = _Moods()
    async with _one_vendor(tmp_path, moods) as (s, _):
        moods.now = says(status)
        assert (await s.post(chat())).status == status
        assert _condition(s).state is BreakerState.HALF_OPEN  # neither good nor bad
        moods.now = well
        assert (await s.post(chat())).status == 200
        assert _condition(s).state is BreakerState.CLOSED
        await s.idle()


async def test_c4_a_probe_whose_client_leaves_gives_its_lease_back(tmp_path: Path) -> None:
    moods, go = _Moods(), asyncio.Event()
    async with _one_vendor(tmp_path, moods) as (s, raw):
        moods.now = _hangs(go)
        probe = asyncio.ensure_future(s.post(chat()))
        await until(lambda: len(raw.asked) == 3)
        probe.cancel()
        await until(lambda: s.in_books() == 0)
        assert _condition(s).state is BreakerState.HALF_OPEN
        moods.now = well
        assert (await s.post(chat())).status == 200
        await s.idle()


@pytest.mark.parametrize("body", [b"<html>", b'{"choices": []}'])
async def test_c4_a_probe_that_cannot_be_read_opens_it_again_for_longer(
    tmp_path: Path, body: bytes
) -> None:
    moods = _Moods()

    async def unreadable(visit: Visit) -> None:
        visit.say(http(200, body))

    async with _one_vendor(tmp_path, moods) as (s, _):
        moods.now = unreadable
        assert (await s.post(chat())).status == 502
        condition = _condition(s)
        assert condition.state is BreakerState.OPEN
        assert 0.1 < condition.left_s <= 0.2
        moods.now = well
        assert (await s.post(chat())).status == 200  # once it is half-open again
        await s.idle()


async def test_c5_one_probe_under_100_at_once(tmp_path: Path) -> None:
    moods, go = _Moods(), asyncio.Event()

    async def speaks_when_told(visit: Visit) -> None:
        visit.say(STREAM)
        await go.wait()
        visit.say(event(content("yes")) + event(FINISH) + event({**LAST}) + END)

    async with _one_vendor(tmp_path, moods, lease_ms=30_000) as (s, raw):
        moods.now = speaks_when_told
        asked = asyncio.gather(*(s.post(chat(stream=True)) for _ in range(100)))
        await until(lambda: s.in_books() == 100 and len(raw.asked) > 2)
        assert len(raw.asked) == 3
        go.set()
        assert {answer.status for answer in await asked} == {200}
        await s.idle()
