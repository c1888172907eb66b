"""Requests at a replica that falls silent, is taken off the list, or loses its load stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.runtime.parts import Stack, chat, stack, until
from tests.runtime.raw_replicas import RawReplica, raw_replica
from tests.runtime.raw_vendors import END, FINISH, LAST, STREAM, content, event

SILENCE_S = 1.2  # after which a load stream is given up here; scripted ones beat every 0.5 s
ANSWER = STREAM + event(content("raw")) + event(FINISH) + event(LAST) + END


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.targets.load_stream.REPORT_SILENCE_S_MAX", SILENCE_S)
    monkeypatch.setattr("runtime.targets.load_stream.RESUBSCRIBE_S", 0.05)


@asynccontextmanager
async def _asked(
    tmp_path: Path, raw: RawReplica, *, stream: bool = True
) -> AsyncIterator[tuple[Stack, asyncio.Task[aiohttp.ClientResponse]]]:
    """A request waits at the raw replica; a scripted one beside it is well."""
    async with stack(tmp_path) as s:
        both = [raw.endpoint, s.replicas[0].endpoint]
        s.gateway.set_replicas(both[:1])
        await until(lambda: list(s.gateway.locals) == ["raw"])
        asking = asyncio.ensure_future(s.post(chat(stream=stream)))
        await until(lambda: raw.asked == 1)
        s.gateway.set_replicas(both)
        await until(lambda: len(s.gateway.locals) == 2)
        try:
            yield s, asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("answer", [b"", STREAM], ids=["nothing", "head"])
async def test_who_waits_at_a_replica_that_falls_silent_is_sent_elsewhere_at_once(
    tmp_path: Path, stream: bool, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "runtime.targets.load_stream.RESUBSCRIBE_S", 60.0
    )  # it is not asked again first
    async with raw_replica(answer) as raw, _asked(tmp_path, raw, stream=stream) as (s, asking):
        raw.frozen = True
        response = await asking
        assert response.status == 200
        assert response.headers["x-baseload-target"] == "local:r1"
        await response.read()
        await s.idle()
        row = s.row()
        assert (row.attempts, row.outcome) == (2, "ok")
        assert "raw" not in s.gateway.locals


async def test_who_has_a_token_stays(tmp_path: Path) -> None:
    begun = STREAM + event(content("raw"))
    async with raw_replica(begun) as raw, _asked(tmp_path, raw) as (s, asking):
        response = await asking
        raw.frozen = True
        await until(lambda: "raw" not in s.gateway.locals)
        raw.rest.set_result(event(FINISH) + event(LAST) + END)
        assert b"[DONE]" in await response.read()
        await s.idle()
        assert s.row().attempts == 1


async def test_a_replica_that_is_taken_off_the_list_finishes_what_it_has(tmp_path: Path) -> None:
    async with raw_replica() as raw, _asked(tmp_path, raw) as (s, asking):
        s.gateway.set_replicas([s.replicas[0].endpoint])
        assert list(s.gateway.locals) == ["r1"]
        await asyncio.sleep(1.5 * SILENCE_S)  # it lives, and so it is waited for
        raw.rest.set_result(ANSWER)
        response = await asking
        assert response.headers["x-baseload-target"] == "local:raw"
        await response.read()
        await until(lambda: raw.hung_up == 1)  # nobody waits there any more
        await s.idle()
        assert s.row().attempts == 1


async def test_off_the_list_and_silent_is_gone(tmp_path: Path) -> None:
    async with raw_replica() as raw, _asked(tmp_path, raw) as (s, asking):
        s.gateway.set_replicas([s.replicas[0].endpoint])
        raw.frozen = True
        assert (await asking).headers["x-baseload-target"] == "local:r1"


async def test_off_the_list_and_on_again_is_the_same(tmp_path: Path) -> None:
    async with raw_replica() as raw, _asked(tmp_path, raw) as (s, asking):
        both = [raw.endpoint, s.replicas[0].endpoint]
        for listed in (both[1:], both, both[1:], both):
            s.gateway.set_replicas(listed)
            assert ("raw" in s.gateway.locals) == (len(listed) == 2)
        assert raw.listened == 1
        raw.rest.set_result(ANSWER)
        assert (await asking).headers["x-baseload-target"] == "local:raw"


async def test_without_anybody_who_waits_it_is_left_at_once(tmp_path: Path) -> None:
    async with raw_replica() as raw, stack(tmp_path, scripts=[]) as s:
        s.gateway.set_replicas([raw.endpoint])
        await until(lambda: "raw" in s.gateway.locals)
        s.gateway.set_replicas([])
        assert not s.gateway.locals
        s.gateway.set_replicas([raw.endpoint])
        await until(lambda: "raw" in s.gateway.locals)
        assert raw.listened == 2


async def test_a_load_stream_that_breaks_and_comes_back_sends_nobody_away(tmp_path: Path) -> None:
    async with raw_replica() as raw, _asked(tmp_path, raw) as (s, asking):
        raw.break_off()
        await until(lambda: raw.listened == 2 and "raw" in s.gateway.locals)
        raw.rest.set_result(ANSWER)
        assert (await asking).headers["x-baseload-target"] == "local:raw"


async def test_a_load_stream_that_does_not_come_back_sends_all_away(tmp_path: Path) -> None:
    async with raw_replica() as raw, _asked(tmp_path, raw) as (_, asking):
        raw.refuses = True
        raw.break_off()
        assert (await asking).headers["x-baseload-target"] == "local:r1"


async def test_who_waits_at_another_replica_stays(tmp_path: Path) -> None:
    async with (
        raw_replica() as raw,
        raw_replica() as silent,
        _asked(tmp_path, raw) as (s, asking),
    ):
        silent.name = "silent"
        s.gateway.set_replicas([raw.endpoint, silent.endpoint])
        await until(lambda: "silent" in s.gateway.locals)
        silent.frozen = True
        await until(lambda: "silent" not in s.gateway.locals)
        raw.rest.set_result(ANSWER)
        assert (await asking).headers["x-baseload-target"] == "local:raw"
        assert raw.asked == 1
