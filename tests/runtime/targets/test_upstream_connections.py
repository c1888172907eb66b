"""Requests whose connection fails: sent once more, told as not started, or in doubt."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runtime.config import StreamConfig
from runtime.errors import NotStarted, UpstreamFailed
from runtime.targets.connection_faults import Fault
from runtime.targets.connector import Connector
from runtime.targets.upstream import Upstream, read_answer
from tests.runtime.targets.servers import HOST, Site, Talk, Visit, site, sized

LIMITS = StreamConfig(connect_ms_max=2_000, answer_ms_max=2_000)
NAME = "offer:v/m"


@asynccontextmanager
async def _upstream(talk: Talk) -> AsyncIterator[tuple[Upstream, Site]]:
    async with site(talk) as s:
        yield Upstream(s.connector, f"http://{HOST}:{s.origin.port}/v1", "secret", NAME), s


async def _ask(upstream: Upstream, body: bytes = b"{}") -> bytes:
    return await read_answer(await upstream.post("/x", body, LIMITS))


def _serves(*times: int) -> Talk:
    """Connections that serve so many requests each, and end with the next."""
    left = list(times)

    async def talk(visit: Visit) -> None:
        for _ in range(left.pop(0)):
            await visit.asked()
            await visit.say(sized(b"a"))
        await visit.asked()

    return talk


async def test_a_kept_connection_that_was_closed_meanwhile_is_nobodys_failure() -> None:
    async with _upstream(_serves(1, 2, 9)) as (upstream, s):
        for _ in range(4):
            assert await _ask(upstream) == b"a"
        assert len(s.visits) == 3
        assert s.connector.faults.counts == {(NAME, Fault.STALE): 2}


async def test_it_is_tried_once_more_and_not_again() -> None:
    async with _upstream(_serves(1, 0, 9)) as (upstream, s):
        await _ask(upstream)
        with pytest.raises(UpstreamFailed) as caught:
            await _ask(upstream)
        assert type(caught.value) is UpstreamFailed  # a new one may have been heard
        assert len(s.visits) == 2


async def test_the_second_try_is_on_a_connection_that_is_new() -> None:
    async with _upstream(_serves(1, 1, 9)) as (upstream, s):
        both = [await s.connector.connect(s.origin, 1.0, new=True) for _ in range(2)]
        for connection in both:
            await read_answer(connection.send(b"GET / HTTP/1.1\r\n\r\n"))
        assert await _ask(upstream) == b"a"
        assert len(s.visits) == 3


async def test_a_request_that_was_sent_in_part_has_not_started() -> None:
    async def talk(visit: Visit) -> None:
        await visit.asked()
        visit.writer.transport.abort()

    async with _upstream(talk) as (upstream, _):
        with pytest.raises(NotStarted):
            await _ask(upstream, b"x" * 32_000_000)


async def test_what_was_in_the_way_is_told_to_the_operator_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        connector = Connector()
        upstream = Upstream(connector, f"http://{HOST}:{port}/v1", "secret", NAME)
        with pytest.raises(NotStarted) as caught:
            await _ask(upstream)
        await connector.close()
    assert connector.faults.counts == {(NAME, Fault.REFUSED): 1}
    assert f"{NAME}: no connection to {HOST}:{port} (refused)" in caplog.text
    assert HOST not in caught.value.message
    assert "secret" not in caplog.text
