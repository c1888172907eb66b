"""Turns an engine's per-step statistics into the load report that schedulers subscribe to.

Raw values, totals and running averages only; no verdicts. Each subscriber gets a report when
something changed, at most every ``REPORT_INTERVAL_S``, and a heartbeat when nothing does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from runtime.wire.load_report import encode_load
from scheduler.replica import EngineLoad

REPORT_INTERVAL_S = 0.04  # 25 Hz while busy
HEARTBEAT_S = 0.5
AVERAGE_WEIGHT = 0.1  # of the newest sample in the running averages


class LoadMeter:
    """Latest load of one engine. Fed on the event loop that serves the subscribers: with each
    step as it ends, and then with the state that it left.

    The last four totals are of the steps whose duration is known, so that the seconds are what
    just these steps and tokens took.
    """

    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0
        self.kv_usage = 0.0  # share of the KV blocks in use, 0 to 1
        self.preemptions = 0
        self.prefix_hit_tokens = 0
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.busy_s = 0.0
        self.steps = 0
        self.prefilled_tokens = 0
        self.decoded_tokens = 0
        self.prefill_tok_s: float | None = None
        self.decode_step_s: float | None = None
        self.waiting_prefill_tokens: Callable[[], int] = lambda: 0
        self._last_step_s: float | None = None  # when it ended; None once nothing runs
        self._changed = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        return self._last_step_s is None

    def on_state(self, *, running: int, waiting: int, kv_usage: float, hit_tokens: int) -> None:
        self.running, self.waiting, self.kv_usage = running, waiting, kv_usage
        self.prefix_hit_tokens += hit_tokens
        if not running:  # what follows is idleness, not a slow step
            self._last_step_s = None
        self._tell()

    def on_step(
        self,
        now_s: float,
        *,
        prompt_tokens: int,
        output_tokens: int,
        preempted: int,
        first_step_s: float | None = None,
    ) -> None:
        """One engine step that ended at ``now_s``: what it read, wrote and pushed out.

        A step begins where the one before it ended; ``first_step_s`` is how long it took if it
        followed idleness, None where nobody knows.
        """
        self.prompt_tokens += prompt_tokens
        self.output_tokens += output_tokens
        self.preemptions += preempted
        step_s = first_step_s if self._last_step_s is None else now_s - self._last_step_s
        self._last_step_s = now_s
        if step_s is not None:
            self._count(step_s, prompt_tokens, output_tokens)
        self._tell()

    def _count(self, step_s: float, prompt_tokens: int, output_tokens: int) -> None:
        self.busy_s += step_s
        self.steps += 1
        self.prefilled_tokens += prompt_tokens
        self.decoded_tokens += output_tokens
        if prompt_tokens and step_s > 0:
            self.prefill_tok_s = _average(self.prefill_tok_s, prompt_tokens / step_s)
        elif output_tokens:
            self.decode_step_s = _average(self.decode_step_s, step_s)

    def _tell(self) -> None:
        """Each change has an event of its own, so that no subscriber clears another's."""
        self._changed.set()
        self._changed = asyncio.Event()

    def load(self, kv_tokens_max: int) -> EngineLoad:
        return EngineLoad(
            running=self.running,
            waiting=self.waiting,
            kv_tokens_used=round(self.kv_usage * kv_tokens_max),
            waiting_prefill_tokens=self.waiting_prefill_tokens(),
            prefill_tok_s=self.prefill_tok_s,
            decode_step_s=self.decode_step_s,
            preemptions=self.preemptions,
            prefix_hit_tokens=self.prefix_hit_tokens,
            busy_s=self.busy_s,
            steps=self.steps,
            prefilled_tokens=self.prefilled_tokens,
            decoded_tokens=self.decoded_tokens,
        )

    async def subscribe(self, kv_tokens_max: int) -> AsyncIterator[bytes]:
        """Endless newline-delimited JSON, one load report per line."""
        while True:
            changed = self._changed  # by anything from here on
            yield encode_load(self.load(kv_tokens_max))
            await asyncio.sleep(REPORT_INTERVAL_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)


def _average(old: float | None, sample: float) -> float:
    return sample if old is None else old + AVERAGE_WEIGHT * (sample - old)
