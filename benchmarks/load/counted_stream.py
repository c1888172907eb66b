"""Reads an answer at half of what ``Stream`` costs: where a chunk of the client's own time would
be measured as the server's.

Events are counted by their ends, whatever they carry, and only the last reads are looked into:
the usage and [DONE] are there. ``first_s`` is when the first of it came; there are no gaps.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import StreamReader

from benchmarks.load.stream import Counters, Stream

EVENT_END = b"\n\n"
TAIL_READS = 4


class CountedStream(Stream):
    async def read(
        self, content: StreamReader, counters: Counters, now_s: Callable[[], float]
    ) -> None:
        parts: list[bytes] = []
        read = content.readany
        while part := await read():
            if not parts:
                self.first_s = now_s()
            count = part.count(EVENT_END)
            self.events += count
            counters.events += count
            counters.reads += 1
            parts.append(part)
        self.last_s = now_s()
        self._look_at_the_end(parts)

    def _look_at_the_end(self, parts: list[bytes]) -> None:
        tail = b"".join(parts[-TAIL_READS:])
        if len(parts) > TAIL_READS:  # it may begin within an event
            tail = tail[tail.find(EVENT_END) + len(EVENT_END) :]
        end = Stream()
        end.feed(tail, 0.0)
        self.usage, self.is_done, self.failure = end.usage, end.is_done, end.failure
