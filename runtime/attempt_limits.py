"""How often, and for how long, one request may be tried: the one place that says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from runtime.config import StreamConfig
from runtime.request.job import Job

# An attempt that we end ourselves says nothing of its target, unless it was silent for at least
# this share of the time that it may have for its first token.
SLOW_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """``until_s`` is monotonic, infinite where the whole request has no limit."""

    attempts_max: int
    first_token_s: tuple[float, ...]  # by attempt; the last holds for all further ones
    request_s: float
    until_s: float
    hedge_after_s: float  # infinite where no rival is asked

    def first_token_s_max(self, number: int) -> float:
        """How long the attempt with this number, counted from 1, may wait for its first token, in
        seconds."""
        return self.first_token_s[min(number, len(self.first_token_s)) - 1]

    def at_model_of(self, job: Job) -> AttemptLimits:
        """These limits with the one that a rule sets for one of its models, at any of its
        attempts."""
        if job.first_token_ms_max is None or not job.streaming:
            return self
        return replace(self, first_token_s=(job.first_token_ms_max / 1000,))

    def is_slow(self, number: int, silent_s: float) -> bool:
        """Whether so long a silence says something of the target, whoever ended it."""
        allowed_s = min(self.first_token_s_max(number), self.request_s)
        return silent_s >= SLOW_SHARE * allowed_s


def limits_of(stream: StreamConfig, job: Job) -> AttemptLimits:
    """A whole answer has no first token that could be seen, so only the general limit holds; a
    request of the off-peak lane has its own deadline. A rule may set a deadline, too: the shorter
    one holds."""
    general = (stream.first_token_ms_max,)
    by_attempt = (stream.first_token_ms or general) if job.streaming else general
    request_s = inf
    if job.arrival.deadline_ms is None:
        told = [ms for ms in (stream.request_ms_max, job.deadline_ms) if ms is not None]
        request_s = min(told) / 1000 if told else inf
    return AttemptLimits(
        attempts_max=stream.attempts_max,
        first_token_s=tuple(ms / 1000 for ms in by_attempt),
        request_s=request_s,
        until_s=job.arrived_s + request_s,
        hedge_after_s=_hedge_after_s(stream, job),
    )


def _hedge_after_s(stream: StreamConfig, job: Job) -> float:
    """The off-peak lane has time, and a whole answer says nothing before its end."""
    if stream.hedge_after_ms is None or not job.streaming or job.arrival.deadline_ms is not None:
        return inf
    return stream.hedge_after_ms / 1000
