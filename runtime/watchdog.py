"""Looks at answers under way, a few times a second: their progress, and whether they stall.

Looked at from outside, so that a chunk costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from runtime.config import StreamConfig
from scheduler.replica import Replica

PREFILL_S = 0.25  # after this an answer in one piece is presumed to be past its prompt


class Stream(Protocol):
    """An answer under way."""

    @property
    def tokens_out(self) -> int: ...

    @property
    def hides_its_start(self) -> bool:
        """A replica's answer in one piece: its tokens cannot be seen before its end."""
        ...

    def waits_at(self, replica: Replica) -> bool:
        """It waits at this replica for its first token."""
        ...

    def stall(self) -> None: ...


@dataclass(slots=True)
class _Watch:
    stream: Stream
    tokens: int
    since_s: float
    presumed_started: bool = False


class Watchdog:
    def __init__(self) -> None:
        self._watched: dict[str, _Watch] = {}

    def watch(self, request_id: str, stream: Stream, now: float) -> None:
        self._watched[request_id] = _Watch(stream, -1, now)

    def unwatch(self, request_id: str) -> None:
        self._watched.pop(request_id, None)

    def look(
        self, limits: StreamConfig, on_progress: Callable[[str, int, float], None], now: float
    ) -> None:
        for request_id, watch in list(self._watched.items()):
            tokens = watch.stream.tokens_out
            if tokens != watch.tokens:
                watch.tokens, watch.since_s = tokens, now
                on_progress(request_id, tokens, now)
                continue
            silence_s = now - watch.since_s
            hidden = watch.stream.hides_its_start and not watch.presumed_started
            if hidden and silence_s > PREFILL_S:
                # Else its prompt would count as waiting, and keep others out, to its very end.
                watch.presumed_started = True
                on_progress(request_id, 1, now)
            silence_ms_max = limits.inter_token_ms_max if tokens else limits.first_token_ms_max
            if silence_s * 1000 > silence_ms_max:
                watch.stream.stall()

    def is_awaited(self, replica: Replica) -> bool:
        """Whether an answer of this replica is under way without a token."""
        return any(watch.stream.waits_at(replica) for watch in self._watched.values())

    def forsake(self, replica: Replica) -> None:
        """The replica answers nobody any more: those without a token may go elsewhere."""
        for watch in list(self._watched.values()):
            if watch.stream.waits_at(replica):
                watch.stream.stall()

    def stall_all(self) -> None:
        for watch in list(self._watched.values()):
            watch.stream.stall()
