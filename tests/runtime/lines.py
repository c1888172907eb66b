"""The access log as a test reads it: one line per request, each a JSON object."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runtime import access_log
from tests.runtime.parts import until


class Lines(io.StringIO):
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    async def next(self, number: int = 1) -> dict[str, Any]:
        """The last of so many: a line is written just after its answer was sent."""
        await until(lambda: len(self.told()) >= number)
        assert len(self.told()) == number
        return self.told()[-1]


@contextmanager
def listening() -> Iterator[Lines]:
    log = access_log.log
    before = (log.handlers[:], log.propagate, log.level)
    lines = Lines()
    access_log.write_to(lines)
    try:
        yield lines
    finally:
        log.handlers[:], log.propagate, log.level = before
