"""Counts the requests that are in here, and tells when the last of them has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class InFlight:
    def __init__(self) -> None:
        self.count = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """A request is in here for as long as it is in this context."""
        self.count += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self.count -= 1
            if not self.count:
                self._nobody.set()

    async def ended(self, wait_s_max: float) -> None:
        """Returns when nobody is in here, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s_max):
                await self._nobody.wait()
