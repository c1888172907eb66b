"""How much a tenant may ask for: requests and tokens per minute, and requests in flight.

A request is counted when it comes, with its tokens as they are estimated, and corrected when it has
ended. One that is refused, by a limit or by anybody else before a target has worked, leaves nothing
behind. What a request counts is in its own hands: a ``Counted``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler.learned.minute_counts import MinuteCounts, PerMinute

TENANTS_KEPT_MAX = 20_000  # of which idle ones are then forgotten


class Limit(StrEnum):
    REQUESTS = "requests_per_min_max"
    TOKENS = "tokens_per_min_max"
    IN_FLIGHT = "in_flight_max"


_LIMITS = {PerMinute.REQUESTS: Limit.REQUESTS, PerMinute.TOKENS: Limit.TOKENS}


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """None is no limit."""

    requests_per_min_max: int | None = None
    tokens_per_min_max: int | None = None
    in_flight_max: int | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """A limit is reached. After ``wait_s`` there is room, if nobody else comes; None where that is
    when another request ends, and never where ``is_too_large`` for the limit by itself."""

    limit: Limit
    wait_s: float | None = None
    is_too_large: bool = False


@dataclass(frozen=True, slots=True)
class LimitStanding:
    """What is left of a limit per minute, and in how many seconds all of it is there again."""

    most: int
    left: int
    reset_s: float


class _Use:
    """What one tenant has under way and has had within a minute."""

    __slots__ = ("in_flight", "minute")

    def __init__(self) -> None:
        self.in_flight = 0
        self.minute = MinuteCounts()

    def is_idle(self, now: float) -> bool:
        self.minute.requests.forget(now)
        self.minute.tokens.forget(now)
        return not (self.in_flight or self.minute.requests.total or self.minute.tokens.total)


class Counted:
    """What one request counts, from its arrival to its ``end``."""

    __slots__ = ("_ended", "_estimate", "_limits", "_request_slot", "_token_slot", "_took", "_use")

    def __init__(self, limits: TenantLimits, use: _Use, now: float) -> None:
        self._estimate = (0, 0)  # tokens of the prompt, and of the answer
        self._limits = limits
        self._use = use
        self._took: int | None = None  # by targets that have worked; None: none has
        self._ended = False
        self._request_slot = use.minute.requests.add(1, now)
        self._token_slot = 0
        use.in_flight += 1

    def charge(self, prompt_tokens: int, output_tokens: int, now: float) -> Over | None:
        """Once the size of the request is estimated. After a refusal it has to be ended."""
        tokens = prompt_tokens + output_tokens
        over = _over(self._limits, self._use.minute, tokens, now, is_new=False)
        if over is None:
            self._estimate = prompt_tokens, output_tokens
            self._token_slot = self._use.minute.tokens.add(tokens, now)
        return over

    def worked(self, prompt_tokens: int | None, output_tokens: int | None) -> None:
        """A target has, and told these tokens; for what nobody told the estimate counts."""
        prompt, output = self._estimate
        prompt = prompt if prompt_tokens is None else prompt_tokens
        output = output if output_tokens is None else output_tokens
        self._took = (self._took or 0) + prompt + output

    def end(self, now: float) -> None:
        """Corrects the tokens; where no target has worked, nothing remains."""
        if self._ended:
            return
        self._ended = True
        use = self._use
        use.in_flight -= 1
        if self._took is None:
            use.minute.requests.correct(self._request_slot, -1)
        tokens, more = use.minute.tokens, (self._took or 0) - sum(self._estimate)
        tokens.forget(now)
        if not tokens.correct(self._token_slot, more) and more > 0:
            tokens.add(more, now)  # it was taken after the minute of the estimate

    def standings(self, now: float) -> dict[Limit, LimitStanding]:
        return _standings(self._limits, self._use.minute, now)


class TenantLimiter:
    """The limits of tenants in one scheduler process. Tenants without limits are not counted."""

    def __init__(self) -> None:
        self._uses: dict[str, _Use] = {}

    def enter(self, tenant: str, limits: TenantLimits, now: float) -> Counted | Over:
        """Counts a request that has just come."""
        use = self._uses.get(tenant) or self._use_of(tenant, now)
        if limits.in_flight_max is not None and use.in_flight >= limits.in_flight_max:
            return Over(Limit.IN_FLIGHT)
        return _over(limits, use.minute, 1, now) or Counted(limits, use, now)

    def standings(
        self, tenant: str, limits: TenantLimits, now: float
    ) -> dict[Limit, LimitStanding]:
        use = self._uses.get(tenant) or _Use()
        return _standings(limits, use.minute, now)

    def _use_of(self, tenant: str, now: float) -> _Use:
        if len(self._uses) >= TENANTS_KEPT_MAX:
            self._uses = {name: use for name, use in self._uses.items() if not use.is_idle(now)}
        return self._uses.setdefault(tenant, _Use())


def _over(
    limits: TenantLimits, minute: MinuteCounts, tokens: int, now: float, *, is_new: bool = True
) -> Over | None:
    """``is_new``: the request itself is not counted so far."""
    requests_max = limits.requests_per_min_max if is_new else None
    tokens_max = limits.tokens_per_min_max
    if tokens_max is not None and tokens > tokens_max:
        return Over(Limit.TOKENS, is_too_large=True)
    beyond = minute.beyond(requests_max, tokens_max, tokens, now)
    if beyond is None:
        return None
    wait_s = max(
        0.0 if requests_max is None else minute.requests.falls_to(requests_max - 1, now),
        0.0 if tokens_max is None else minute.tokens.falls_to(tokens_max - tokens, now),
    )
    return Over(_LIMITS[beyond], wait_s)


def _standings(
    limits: TenantLimits, minute: MinuteCounts, now: float
) -> dict[Limit, LimitStanding]:
    """Of the limits per minute that there are."""
    pairs = (
        (Limit.REQUESTS, limits.requests_per_min_max, minute.requests),
        (Limit.TOKENS, limits.tokens_per_min_max, minute.tokens),
    )
    found = {}
    for limit, most, taken in pairs:
        if most is not None:
            taken.forget(now)
            left = max(0, most - taken.total)
            found[limit] = LimitStanding(most, left, taken.falls_to(0, now))
    return found
