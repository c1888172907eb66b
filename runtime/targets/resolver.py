"""Finds the addresses of targets' names, without the event loop's own threads.

The system's look-up (hosts file, name service switch, DNS) blocks, and nothing can end it: a name
server that never answers would in time hold every thread of the loop, and with that the look-ups
of all other targets. So each look-up has a thread of its own, there is at most one per name, and
whoever asks while it hangs is refused at once. What was found is kept for a while; for longer
than that it is used while the next look-up is under way, so that a name server which fails takes
nobody's target away (serve-stale, RFC 8767).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from threading import Thread
from typing import Any

from runtime.clock import SYSTEM
from runtime.request_limits import LIMITS, refusals

FRESH_S = 30.0  # found so long ago, it is looked up again
STALE_S = 600.0  # and until then used meanwhile
FAILED_S = 1.0  # so long is a failure told to those who ask next
HANGS_S = 2.0  # a look-up that takes longer is not waited for by those who come later

AddressInfo = tuple[int, int, int, str, Any]  # as getaddrinfo has them
LookUp = Callable[[str, int], list[AddressInfo]]
Name = tuple[str, int]


class NameFailure(OSError):
    """A name has no address, or none that can be found at the moment."""


def system_look_up(host: str, port: int) -> list[AddressInfo]:
    """Looks a name up in the system, and blocks. Raises OSError, and UnicodeError for what can be
    no name."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


@dataclass(slots=True)
class _Known:
    """What the look-ups of one name have brought."""

    addresses: list[AddressInfo] = field(default_factory=list)
    found_at_s: float = -inf
    failure: Exception | None = None
    failed_at_s: float = -inf


@dataclass(frozen=True, slots=True)
class _Pending:
    done: asyncio.Future[list[AddressInfo]]
    since_s: float


class Resolver:
    """One for a process, used on its event loop. ``look_up`` is called in threads."""

    def __init__(
        self, look_up: LookUp = system_look_up, clock: Callable[[], float] = SYSTEM.monotonic_s
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[Name, _Known] = {}  # the oldest name first
        self._pending: dict[Name, _Pending] = {}

    async def addresses(self, host: str, port: int) -> list[AddressInfo]:
        """Raises OSError and UnicodeError."""
        name, now = (host, port), self._clock()
        known = self._known.get(name)
        if known is None and (numeric := _numeric(host, port)):
            return numeric
        if known is not None:
            has_just_failed = now - known.failed_at_s < FAILED_S
            age_s = now - known.found_at_s
            if age_s < STALE_S:
                if age_s >= FRESH_S and not has_just_failed:
                    with suppress(NameFailure):
                        self._ask(name, now)
                return known.addresses
            if has_just_failed:
                raise NameFailure(str(known.failure)) from known.failure
        pending = self._ask(name, now)
        if now - pending.since_s >= HANGS_S:
            raise NameFailure(f"its look-up has taken {now - pending.since_s:.0f} s so far")
        return await asyncio.shield(pending.done)  # others may wait for it, too

    def forget(self, host: str, port: int) -> None:
        """Its addresses did not work: the next look-up may find others."""
        if known := self._known.get((host, port)):
            known.found_at_s = -inf

    def _ask(self, name: Name, now: float) -> _Pending:
        """The look-up that is under way, or a new one."""
        if name in self._pending:
            return self._pending[name]
        if len(self._pending) >= LIMITS.lookups_max:
            refusals["lookups_max"] += 1
            raise NameFailure(f"{LIMITS.lookups_max} look-ups of names are under way")
        loop = asyncio.get_running_loop()
        pending = self._pending[name] = _Pending(loop.create_future(), now)
        pending.done.add_done_callback(asyncio.Future.exception)  # perhaps nobody waits any more
        # A daemon: one that hangs does not keep the process from its end.
        Thread(target=self._work, args=(loop, name), name=f"look-up {name[0]}", daemon=True).start()
        return pending

    def _work(self, loop: asyncio.AbstractEventLoop, name: Name) -> None:
        """In a thread of its own."""
        addresses: list[AddressInfo] = []
        failure: Exception | None = NameFailure("its look-up ended with a defect")
        try:
            addresses, failure = self._look_up(*name), None
        except (OSError, ValueError) as error:
            failure = error
        finally:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._ended, name, addresses, failure)

    def _ended(self, name: Name, addresses: list[AddressInfo], failure: Exception | None) -> None:
        done, now = self._pending.pop(name).done, self._clock()
        if not addresses and failure is None:
            failure = NameFailure("it has no address")
        known = self._known.setdefault(name, _Known())
        if failure is not None:
            known.failure, known.failed_at_s = failure, now
            done.set_exception(failure)
        else:
            known.addresses, known.found_at_s = addresses, now
            done.set_result(addresses)
        if len(self._known) > LIMITS.names_max:
            del self._known[next(iter(self._known))]


def _numeric(host: str, port: int) -> list[AddressInfo]:
    """Of an address, which needs no look-up; nothing for a name."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except socket.gaierror:
        return []
