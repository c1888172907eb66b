"""A client's presence: what is done for it ends when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.types import Receive


class ClientLeft(Exception):
    """The client left before its answer was complete."""


@asynccontextmanager
async def while_present(receive: Receive) -> AsyncIterator[None]:
    """Inside, this task is cancelled in the moment in which the client leaves; then ClientLeft.

    The work is done in the task that is there already: a second one, and waiting for it, costs
    every request more than its key check.
    """
    worker = asyncio.current_task()
    if worker is None:
        raise RuntimeError("there is no task to cancel")
    watch = asyncio.ensure_future(_until_it_leaves(receive))
    left = is_over = False

    def leave(watch: asyncio.Task[None]) -> None:
        nonlocal left
        if not (watch.cancelled() or is_over):
            left = True
            worker.cancel()

    watch.add_done_callback(leave)
    try:
        yield
    except asyncio.CancelledError:
        if left and not worker.uncancel():
            raise ClientLeft from None
        raise  # somebody else has cancelled it, too
    finally:
        is_over = True  # the callback may be on its way already
        watch.cancel()


async def _until_it_leaves(receive: Receive) -> None:
    with suppress(OSError):  # it cannot be heard any more
        while (await receive())["type"] != "http.disconnect":
            pass
