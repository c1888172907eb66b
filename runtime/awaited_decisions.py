"""The requests that wait for the scheduler's answer, each as the task that will go on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from runtime.errors import BaseloadError
from scheduler.decision import Action, Buy, Dispatch, Hold, Reject


class AwaitedDecisions:
    def __init__(self) -> None:
        self._futures: dict[str, asyncio.Future[Dispatch | Buy | Reject]] = {}

    def expect(self, request_id: str) -> asyncio.Future[Dispatch | Buy | Reject]:
        future = asyncio.get_running_loop().create_future()
        self._futures[request_id] = future
        return future

    def forget(self, request_id: str) -> None:
        del self._futures[request_id]

    def tell(self, actions: Iterable[Action]) -> list[str]:
        """The requests that were given a target, and whose callers had left by then."""
        left: list[str] = []
        for action in actions:
            if isinstance(action, Hold):
                continue
            future = self._futures.get(action.request_id)
            if future is not None and not future.done():
                future.set_result(action)
            elif not isinstance(action, Reject):
                left.append(action.request_id)
        return left

    def fail_all(self, error: BaseloadError) -> None:
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error)
