"""The access log as a test reads it: one line per request, each a JSON object."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.runtime.parts import Stack, stack, until


class Lines(io.StringIO):
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    async def next(self, number: int = 1) -> dict[str, Any]:
        """The last of so many: lines are written just after their answers were sent."""
        await until(lambda: len(self.told()) >= number)
        assert len(self.told()) == number
        return self.told()[-1]


@contextmanager
def listening(s: Stack) -> Iterator[Lines]:
    """The lines of what is asked inside."""
    s.edge.access_log.stream = lines = Lines()
    try:
        yield lines
    finally:
        s.edge.access_log.flush()
        s.edge.access_log.stream = None


@asynccontextmanager
async def logged(folder: Path, **options: Any) -> AsyncIterator[tuple[Stack, Lines]]:
    """A stack of these ``options``, and the lines of all that it is asked."""
    async with stack(folder, **options) as s:
        with listening(s) as lines:
            yield s, lines
