"""Keeps requests away from a target that fails again and again, or that asked for a pause.

Closed until a run of consecutive failures, then open for a time that doubles with each failed
probe up to a cap, then half-open: one probe at a time decides. A target that says it is busy or
that a limit of its own was reached has not failed: it is paused for as long as it says, else for
a time that grows with each pause in a row, and then probed in the same way.

A probe has a lease. Its first content closes the breaker, though its own failure after that
opens it again at once; what the client did gives the lease back; and when the lease ends without
either, the next probe may start, so that a target which hangs keeps nobody waiting for its probe.
Requests that were already under way when the breaker opened say nothing about the target as it is
now, and are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from scheduler.decision import Outcome, Refusal
from scheduler.settings import CircuitBreakerSettings

DOUBLINGS_MAX = 32

STRIKES = frozenset({Outcome.TARGET_FAILED, Outcome.ACCESS_REFUSED})
PAUSES = frozenset({Outcome.TARGET_BUSY, Outcome.RATE_LIMITED})
OF_ACCOUNTS = frozenset({Outcome.OK, Outcome.KEY_REFUSED, Outcome.ACCESS_REFUSED})


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"  # after failures
    PAUSED = "paused"  # because the target asked for it
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Condition:
    """``cause`` is the kind of outcome that shut the breaker last; None while it is closed."""

    state: BreakerState
    cause: Outcome | None = None
    left_s: float = 0.0  # until it is half-open

    @property
    def is_shut(self) -> bool:
        return self.state in (BreakerState.OPEN, BreakerState.PAUSED)


CLOSED = Condition(BreakerState.CLOSED)


class Breaker:
    __slots__ = (
        "_cause",
        "_failures",
        "_holder",
        "_lease_until",
        "_on_trial",
        "_openings",
        "_pauses",
        "_probes",
        "_shut_until",
    )

    def __init__(self) -> None:
        self._failures = 0  # in a row, while closed
        self._openings = 0  # since the last whole answer
        self._pauses = 0  # since the last content
        self._shut_until: float | None = None  # None while closed; half-open from then on
        self._cause: Outcome | None = None
        self._probes: set[str] = set()  # under way, the last one and those whose lease has ended
        self._holder: str | None = None  # of the lease
        self._lease_until = -inf
        self._on_trial: str | None = None  # the probe that closed it, until its own end

    # Questions

    def condition(self, now: float) -> Condition:
        if self._shut_until is None:
            return CLOSED
        left_s = self._shut_until - now
        if left_s <= 0:
            return Condition(BreakerState.HALF_OPEN, self._cause)
        state = BreakerState.PAUSED if self._cause in PAUSES else BreakerState.OPEN
        return Condition(state, self._cause, left_s)

    def refuses(self, now: float) -> Refusal | None:
        """None where a request may be sent: to a half-open target, as its probe."""
        if self._shut_until is None or (now >= self._shut_until and now >= self._lease_until):
            return None
        return Refusal.PAUSED if self._cause in PAUSES else Refusal.BREAKER_OPEN

    # Events

    def on_start(self, request_id: str, settings: CircuitBreakerSettings, now: float) -> None:
        """A request that was not refused starts; unless the breaker is closed, it is a probe."""
        if self._shut_until is not None:
            self._probes.add(request_id)
            self._holder = request_id
            self._lease_until = now + settings.probe_ms_max / 1000

    def on_first_token(self, request_id: str) -> None:
        """A probe's answer has begun: the target serves again."""
        if request_id in self._probes:
            self._close()
            self._on_trial = request_id

    def on_end(
        self,
        request_id: str,
        outcome: Outcome,
        settings: CircuitBreakerSettings,
        now: float,
        pause_s: float | None = None,
    ) -> BreakerState | None:
        """Takes in how a request ended; ``pause_s`` is how long the target asked to be left
        alone. Returns the state that the breaker entered by it: open, paused, or None."""
        is_probe = self._give_back(request_id)
        is_trial = request_id == self._on_trial
        if is_trial:
            self._on_trial = None
        if self._shut_until is not None and not is_probe:
            if outcome in PAUSES and pause_s is not None:  # holds whenever the request was sent
                until = now + _told_s(pause_s, settings)
                if until > self._shut_until:
                    self._cause, self._shut_until = outcome, until
            return None
        if outcome is Outcome.OK:
            if self._shut_until is not None:
                self._close()
            self._failures = self._openings = 0
        elif outcome in PAUSES:
            return self._pause(outcome, settings, now, pause_s)
        elif outcome is Outcome.KEY_REFUSED:
            return self._open(outcome, settings, now, pause_s)
        elif outcome in STRIKES:
            self._failures += 1
            if is_probe or is_trial or self._failures >= settings.failures:
                return self._open(outcome, settings, now)
        return None

    def release(self, request_id: str) -> None:
        """A request ended in a way that says nothing about the target."""
        self._give_back(request_id)
        if request_id == self._on_trial:
            self._on_trial = None

    # Its own

    def _give_back(self, request_id: str) -> bool:
        """Whether it was a probe."""
        if request_id not in self._probes:
            return False
        self._probes.remove(request_id)
        if request_id == self._holder:
            self._lease_until = -inf
        return True

    def _close(self) -> None:
        self._shut_until = self._cause = None
        self._failures = self._pauses = 0
        self._forget_probes()

    def _forget_probes(self) -> None:
        self._probes.clear()
        self._holder = None
        self._lease_until = -inf

    def _open(
        self,
        cause: Outcome,
        settings: CircuitBreakerSettings,
        now: float,
        open_s: float | None = None,
    ) -> BreakerState:
        grown_s = _grown_s(settings.open_ms, self._openings, settings)
        self._shut(cause, now + (grown_s if open_s is None else _told_s(open_s, settings)))
        self._openings += 1
        return BreakerState.OPEN

    def _pause(
        self, cause: Outcome, settings: CircuitBreakerSettings, now: float, pause_s: float | None
    ) -> BreakerState:
        grown_s = _grown_s(settings.pause_ms, self._pauses, settings)
        self._shut(cause, now + (grown_s if pause_s is None else _told_s(pause_s, settings)))
        self._pauses += 1
        return BreakerState.PAUSED

    def _shut(self, cause: Outcome, until: float) -> None:
        self._cause, self._shut_until = cause, until
        self._on_trial = None
        self._forget_probes()


def _grown_s(first_ms: int, times: int, settings: CircuitBreakerSettings) -> float:
    """Doubles each time, up to the cap."""
    grown_ms = first_ms << min(times, DOUBLINGS_MAX)
    return min(grown_ms, settings.open_ms_max) / 1000


def _told_s(pause_s: float, settings: CircuitBreakerSettings) -> float:
    return max(0.0, min(pause_s, settings.pause_ms_max / 1000))


class OfferBreaker:
    """The breaker of one offer, together with the one that all offers of its account share.

    A model that fails or is paused says nothing about the account's others. A key that is refused
    holds for all of them; a refused access may be about the account, the model or the request, and
    counts as a failure of both.
    """

    __slots__ = ("account", "own")

    def __init__(self, account: Breaker) -> None:
        self.account = account
        self.own = Breaker()

    def condition(self, now: float) -> Condition:
        """The condition of the one that is shut for longer."""
        own, account = self.own.condition(now), self.account.condition(now)
        if account.state is BreakerState.CLOSED or own.left_s > account.left_s:
            return own
        return account

    def refuses(self, now: float) -> Refusal | None:
        return self.account.refuses(now) or self.own.refuses(now)

    def on_start(self, request_id: str, settings: CircuitBreakerSettings, now: float) -> None:
        self.account.on_start(request_id, settings, now)
        self.own.on_start(request_id, settings, now)

    def on_first_token(self, request_id: str) -> None:
        self.account.on_first_token(request_id)
        self.own.on_first_token(request_id)

    def on_end(
        self,
        request_id: str,
        outcome: Outcome,
        settings: CircuitBreakerSettings,
        now: float,
        pause_s: float | None = None,
    ) -> BreakerState | None:
        """The state that either entered by it."""
        entered: BreakerState | None = None
        if outcome in OF_ACCOUNTS:
            entered = self.account.on_end(request_id, outcome, settings, now, pause_s)
        else:
            self.account.release(request_id)
        if outcome is Outcome.KEY_REFUSED:
            self.own.release(request_id)
            return entered
        return self.own.on_end(request_id, outcome, settings, now, pause_s) or entered
