"""Whatever a tap takes or refuses, every byte is passed on once, in order, before the end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import tap as tapping
from runtime.tap import Tap
from runtime.upstream import READ_BUFFER_BYTES, new_session

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
ALL = itertools.repeat(True)
NONE = itertools.repeat(False)
PATIENCE_S = 5.0


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@asynccontextmanager
async def _body(
    *writes: bytes, keeps_open: bool = False
) -> AsyncIterator[tuple[aiohttp.ClientResponse, asyncio.Event]]:
    """An answer whose body comes in these writes once the event is set, and its connection ends."""
    go = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        await go.wait()
        with suppress(ConnectionError):
            for write in writes:
                writer.write(write)
                await writer.drain()
                await asyncio.sleep(0)
        if not keeps_open:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    session = new_session()
    try:
        port = server.sockets[0].getsockname()[1]
        async with session.get(f"http://127.0.0.1:{port}/") as response:
            yield response, go
    finally:
        await session.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        server.close()


class _Passed:
    """All that was passed on, by the tap or by its reader."""

    def __init__(self, verdicts: Iterator[bool]) -> None:
        self.bytes = b""
        self.taken = 0
        self._verdicts = verdicts

    def take(self, data: bytes) -> bool:
        if not next(self._verdicts):
            return False
        self.taken += 1
        self.bytes += data
        return True

    async def read_on(self, tap: Tap) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while data := await tap.read():
                self.bytes += data
                await asyncio.sleep(0)  # as a send may take a turn of the loop


async def _all_passed(writes: Sequence[bytes], verdicts: Iterator[bool]) -> _Passed:
    passed = _Passed(verdicts)
    async with _body(*writes) as (response, go):
        tap = Tap(response.content, passed.take)
        go.set()
        await passed.read_on(tap)
        tap.close()
    return passed


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=30),
    st.lists(st.integers(1, 40), min_size=1, max_size=10),
    st.lists(st.booleans(), min_size=1, max_size=20),
)
def test_every_byte_once_and_in_order(
    bodies: list[bytes], cuts: list[int], verdicts: list[bool]
) -> None:
    raw = b"".join(map(_chunk, bodies)) + END
    sizes, writes = itertools.cycle(cuts), []
    while raw:
        size = next(sizes)
        writes.append(raw[:size])
        raw = raw[size:]
    passed = asyncio.run(_all_passed(writes, itertools.cycle(verdicts)))
    assert passed.bytes == b"".join(bodies)


async def test_the_reader_sleeps_while_all_is_taken() -> None:
    passed = _Passed(ALL)
    async with _body(*[_chunk(b"a")] * 50, keeps_open=True) as (response, go):
        tap = Tap(response.content, passed.take)
        reading = asyncio.create_task(tap.read())
        await asyncio.sleep(0)
        go.set()
        async with asyncio.timeout(PATIENCE_S):
            while len(passed.bytes) < 50:
                await asyncio.sleep(0)
        assert not reading.done()
        reading.cancel()
        tap.close()


async def test_what_comes_in_one_piece_is_offered_in_one_piece() -> None:
    passed = _Passed(ALL)
    async with _body(b"".join([_chunk(b"a")] * 50) + END) as (response, go):
        tap = Tap(response.content, passed.take)
        go.set()
        await passed.read_on(tap)
        tap.close()
    assert (passed.bytes, passed.taken) == (b"a" * 50, 1)


async def test_a_tap_that_nobody_reads_takes_nothing() -> None:
    passed = _Passed(ALL)
    async with _body(_chunk(b"a"), END) as (response, go):
        tap = Tap(response.content, passed.take)
        go.set()
        await asyncio.sleep(0.05)
        assert passed.taken == 0
        assert await tap.read() == b"a"
        tap.close()


@pytest.mark.parametrize("verdicts", [ALL, NONE])
async def test_a_break_is_told_to_the_reader(verdicts: Iterator[bool]) -> None:
    passed = _Passed(verdicts)
    async with _body(_chunk(b"a"), _chunk(b"b")) as (response, go):
        tap = Tap(response.content, passed.take)
        go.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await passed.read_on(tap)
        tap.close()
    if verdicts is ALL:  # what is refused is the reader's, which drops it when it breaks
        assert passed.bytes == b"ab"


async def test_refused_data_holds_the_target_back() -> None:
    passed = _Passed(NONE)
    part = b"a" * 65_536
    parts = 64
    async with _body(*[_chunk(part)] * parts, END) as (response, go):
        tap = Tap(response.content, passed.take)
        go.set()
        first = await tap.read()
        async with asyncio.timeout(PATIENCE_S):
            while response.content.total_bytes - len(first) < READ_BUFFER_BYTES:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        buffered = response.content.total_bytes - len(first)
        assert buffered < 4 * READ_BUFFER_BYTES < len(part) * parts
        passed.bytes = first
        await passed.read_on(tap)
        tap.close()
    assert passed.bytes == part * parts


async def test_a_closed_tap_is_forgotten_and_its_reader_goes_on() -> None:
    passed = _Passed(ALL)
    async with _body(_chunk(b"a"), END) as (response, go):
        tap = Tap(response.content, passed.take)
        reading = asyncio.create_task(tap.read())
        await asyncio.sleep(0)
        tap.close()
        assert tapping._taps == {}
        go.set()
        assert await reading == b"a"
    assert passed.taken == 0


async def test_a_reader_of_another_kind_is_read_as_it_is() -> None:
    class Other(aiohttp.StreamReader):
        pass

    passed = _Passed(ALL)
    async with _body(END) as (response, go):
        own = response.content
        other = Other(own._protocol, 2**16, loop=asyncio.get_running_loop())
        tap = Tap(other, passed.take)
        reading = asyncio.create_task(tap.read())
        await asyncio.sleep(0)
        other.feed_data(b"a")
        assert await reading == b"a"
        tap.close()
        go.set()
    assert type(other) is Other
    assert passed.taken == 0
