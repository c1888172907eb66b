"""The requests that wait for the scheduler's answer, each as the task that will go on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from runtime.errors import BaseloadError
from scheduler.decision import Action, Buy, Dispatch, Hold, Reject


class AwaitedDecisions:
    def __init__(self) -> None:
        self._futures: dict[str, asyncio.Future[Dispatch | Buy | Reject]] = {}
        self._checks: dict[str, Callable[[], None]] = {}

    def expect(
        self, request_id: str, check: Callable[[], None]
    ) -> asyncio.Future[Dispatch | Buy | Reject]:
        """``check`` raises a BaseloadError once nothing may serve the request any more."""
        future = asyncio.get_running_loop().create_future()
        self._futures[request_id], self._checks[request_id] = future, check
        return future

    def forget(self, request_id: str) -> None:
        del self._futures[request_id], self._checks[request_id]

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

    def check_all(self) -> None:
        """Ends the wait of those that nothing may serve any more."""
        for request_id, future in self._futures.items():
            if future.done():
                continue
            try:
                self._checks[request_id]()
            except BaseloadError as error:
                future.set_exception(error)

    def fail_all(self, error: BaseloadError) -> None:
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error)
