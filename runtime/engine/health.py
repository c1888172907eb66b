"""Whether an engine is alive, by its tokens: a process that is up may still be frozen.

While requests run, tokens must advance; when idle, a real one-token generation must answer.
Pure but for the probe, which the caller passes in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from runtime.engine.load_meter import LoadMeter

STALL_S_MAX = 30.0  # requests run and no token comes: frozen (a long prefill takes seconds)
PROBE_S_MAX = 15.0  # one token from an idle engine


class EngineUnhealthy(Exception):
    """The engine does not generate any more. The replica must be replaced."""


class HealthCheck:
    """Called at each health poll with the time; raises ``EngineUnhealthy``."""

    def __init__(self, meter: LoadMeter, probe: Callable[[], Awaitable[None]]) -> None:
        self._meter = meter
        self._probe = probe
        self._tokens_seen = -1
        self._advanced_at_s = 0.0

    async def check(self, now_s: float) -> None:
        tokens = self._tokens()
        if tokens != self._tokens_seen or not self._meter.running:
            self._tokens_seen, self._advanced_at_s = tokens, now_s
        if self._meter.running:
            if now_s - self._advanced_at_s > STALL_S_MAX:
                raise EngineUnhealthy(
                    f"{self._meter.running} requests run, no token for {STALL_S_MAX:.0f} s"
                )
            return
        try:
            await asyncio.wait_for(self._probe(), PROBE_S_MAX)
        except TimeoutError as error:
            if self._tokens() == tokens:  # requests that came meanwhile got none, either
                says = f"it was idle, and one token took over {PROBE_S_MAX:.0f} s"
                raise EngineUnhealthy(says) from error

    def _tokens(self) -> int:
        return self._meter.prompt_tokens + self._meter.output_tokens
