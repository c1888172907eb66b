"""How far one replica's predicted prefix hits come true, as a factor from 0 to 1.

The engine tells hit tokens as one total since its start, in which requests cannot be told apart.
So predictions are summed up to a window, and the growth of the total is set against them. A
prediction enters its window some reports late, for its request must reach the engine first; a hit
that came earlier waits for it. Hits beyond all predictions are of prompts that this scheduler
did not send or did not expect, and must not cover later misses.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LAG_REPORTS = 25  # a busy engine reports after a step, at most 25 times a second
WINDOW_TOKENS = 4_096  # predicted hit tokens that make one sample
SAMPLE_WEIGHT = 0.25
HIT_TOKENS_MAX = 2**63


@dataclass(slots=True)
class PrefixTrust:
    factor: float = 1.0
    _total: int | None = None  # as last reported
    _hit: int = 0  # tokens not yet set against a prediction
    _predicted: int = 0  # tokens that no window has been closed on; of these:
    _in_window: int = 0
    _lagging: deque[int] = field(default_factory=deque)  # by report
    _since_report: int = 0

    def on_sent(self, hit_tokens: int) -> None:
        """A request was sent of whose prompt so many tokens should be cached."""
        self._predicted += hit_tokens
        self._since_report += hit_tokens

    def on_report(self, hit_tokens_total: int) -> bool:
        """False, and left aside, where the total is absurd; written so that NaN fails."""
        if not 0 <= hit_tokens_total <= HIT_TOKENS_MAX:
            return False
        total, self._total = self._total, hit_tokens_total
        if total is None or hit_tokens_total < total:
            self._start_over()
            return True
        self._hit = min(self._hit + hit_tokens_total - total, self._predicted)
        self._lagging.append(self._since_report)
        self._since_report = 0
        if len(self._lagging) > LAG_REPORTS:
            self._in_window += self._lagging.popleft()
        if self._in_window >= WINDOW_TOKENS:
            self._close_window()
        return True

    def _start_over(self) -> None:
        """A total with nothing before it cannot be set against what was predicted so far."""
        self._lagging.clear()
        self._hit = self._predicted = self._in_window = self._since_report = 0

    def _close_window(self) -> None:
        hit = min(self._hit, self._in_window)
        self.factor += SAMPLE_WEIGHT * (hit / self._in_window - self.factor)
        self._hit -= hit
        self._predicted -= self._in_window
        self._in_window = 0
