"""Whether a body is taken or read, every byte is told once, in order, before the end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.targets.response import READ_BUFFER_BYTES, Broken, Response
from tests.runtime.targets.servers import CHUNKED, END, Visit, chunk, site, whole

ALL = itertools.repeat(True)
NONE = itertools.repeat(False)


class Passed:
    """All that was told, on the spot or to the reader."""

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

    async def read_on(self, response: Response) -> None:
        while data := await response.read():
            self.bytes += data
            await asyncio.sleep(0)  # as a send may take a turn of the loop


async def _passed(writes: Sequence[bytes], verdicts: Iterator[bool]) -> Passed:
    """Of a body that comes in these writes once somebody reads."""
    begun = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(CHUNKED)
        await begun.wait()
        await visit.say(*writes)

    passed = Passed(verdicts)
    async with site(talk) as s:
        response = await s.ask()
        assert await response.head() == 200
        response.take = passed.take
        begun.set()
        await passed.read_on(response)
    return passed


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=30),
    st.lists(st.integers(1, 40), min_size=1, max_size=10),
    st.lists(st.booleans(), min_size=1, max_size=20),
)
def test_every_byte_once_and_in_order(
    loop: type[asyncio.AbstractEventLoop],
    bodies: list[bytes],
    cuts: list[int],
    verdicts: list[bool],
) -> None:
    raw = b"".join(map(chunk, bodies)) + END
    sizes, writes = itertools.cycle(cuts), []
    while raw:
        size = next(sizes)
        writes.append(raw[:size])
        raw = raw[size:]
    with asyncio.Runner(loop_factory=loop) as runner:
        passed = runner.run(_passed(writes, itertools.cycle(verdicts)))
    assert passed.bytes == b"".join(bodies)


async def test_the_reader_sleeps_while_all_is_taken() -> None:
    passed = Passed(ALL)
    begun = asyncio.Event()
    left = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(CHUNKED)
        await begun.wait()
        await visit.say(*[chunk(b"a")] * 50)
        await left.wait()

    async with site(talk) as s:
        response = await s.ask()
        response.take = passed.take
        await response.head()
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        begun.set()
        while len(passed.bytes) < 50:
            await asyncio.sleep(0)
            assert not reading.done()
        reading.cancel()
        left.set()


async def test_what_comes_in_one_piece_is_offered_in_one_piece() -> None:
    passed = await _passed([b"".join([chunk(b"a")] * 50) + END], ALL)
    assert (passed.bytes, passed.taken) == (b"a" * 50, 1)


async def test_nothing_is_taken_while_nobody_reads() -> None:
    passed = Passed(ALL)

    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(CHUNKED + chunk(b"a"))
        await asyncio.sleep(0.02)
        await visit.say(chunk(b"b"), END)

    async with site(talk) as s:
        response = await s.ask()
        response.take = passed.take
        await response.head()
        await asyncio.sleep(0.1)
        assert await response.read() == b"ab"
        assert await response.read() == b""
    assert passed.taken == 0


@pytest.mark.parametrize("verdicts", [ALL, NONE])
@pytest.mark.parametrize(
    ("writes", "before"),
    [((chunk(b"ab") + b"no chunk\r\n",), b"ab"), ((chunk(b"ab"), b"5\r\nha"), b"abha")],
)
async def test_what_came_before_a_break_is_told_before_it(
    verdicts: Iterator[bool], writes: tuple[bytes, ...], before: bytes
) -> None:
    passed = Passed(verdicts)

    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(CHUNKED)
        await visit.say(*writes)

    async with site(talk) as s:
        response = await s.ask()
        response.take = passed.take
        await response.head()
        with pytest.raises(Broken):
            await passed.read_on(response)
        with pytest.raises(Broken):  # and it stays so
            await response.read()
    assert passed.bytes == before


async def test_what_is_not_read_holds_the_target_back() -> None:
    part = b"a" * 65_536
    parts = 256
    said = 0

    async def talk(visit: Visit) -> None:
        nonlocal said
        await visit.asked()
        await visit.say(CHUNKED)
        for _ in range(parts):
            await visit.say(chunk(part))
            said += 1
        await visit.say(END)

    async with site(talk) as s:
        response = await s.ask()
        await response.head()
        while response._size < READ_BUFFER_BYTES:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert response._size < 4 * READ_BUFFER_BYTES
        assert said < parts
        assert await whole(response) == part * parts


async def test_an_answer_has_its_time() -> None:
    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(CHUNKED, chunk(b"a"))
        assert await visit.reader.read() == b""  # it has left

    async with site(talk) as s:
        response = await s.ask()
        response.expire_after(0.05)
        await response.head()
        assert await response.read() == b"a"
        with pytest.raises(TimeoutError, match="whole answer"):
            await response.read()


async def test_the_target_sees_its_client_leave() -> None:
    left = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(CHUNKED)
        try:
            await visit.reader.read()
        finally:
            left.set()

    async with site(talk) as s:
        response = await s.ask()
        await response.head()
        response.close()
        await left.wait()
        with pytest.raises(Broken, match="closed"):
            await response.read()


async def test_closing_what_has_ended_keeps_its_connection() -> None:
    async def talk(visit: Visit) -> None:
        while await visit.asked():
            await visit.say(CHUNKED + chunk(b"a") + END)

    async with site(talk) as s:
        for _ in range(2):
            response = await s.ask()
            assert await whole(response) == b"a"
            response.close()
        assert len(s.visits) == 1
