"""Why connections to targets could not be had, counted by kind and told to operators.

A client is told no more than that a target did not take its request: names, addresses and
certificates are the operator's.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections import Counter
from enum import StrEnum

from runtime.targets.resolver import NameFailure

TOLD_EVERY_S = 30.0  # of one kind at one target

log = logging.getLogger("baseload.targets")


class NoConnection(OSError):
    """None can be had: as many are open as may be, or the target closes them at once."""


class Fault(StrEnum):
    NAME = "name"  # no address was found
    REFUSED = "refused"  # nobody listens
    TIMEOUT = "timeout"  # nobody answered in time
    UNREACHABLE = "unreachable"  # there is no way to the address
    CERTIFICATE = "certificate"  # expired, of another name, or of an issuer that is not trusted
    TLS = "tls"  # no agreement on how to encrypt
    CLOSED = "closed"  # at once, or for want of a free place here
    STALE = "stale"  # a kept one that the target ended as it was used: tried again on a new one
    OTHER = "other"  # anything else: the log has it


_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


def fault_of(error: Exception) -> Fault:
    match error:
        case ssl.SSLCertVerificationError():
            return Fault.CERTIFICATE
        case ssl.SSLError():
            return Fault.TLS
        case NameFailure() | socket.gaierror() | UnicodeError():
            return Fault.NAME
        case TimeoutError():
            return Fault.TIMEOUT
        case ConnectionRefusedError():
            return Fault.REFUSED
        case NoConnection() | ConnectionError():
            return Fault.CLOSED
        case OSError(errno=number) if number in _UNREACHABLE:
            return Fault.UNREACHABLE
    return Fault.OTHER


class ConnectionFaults:
    """``counts`` is by target and kind; the targets are those of the configuration."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Fault]] = Counter()
        self._told: dict[tuple[str, Fault], tuple[float, int]] = {}  # when, and at which count

    def note(self, target: str, address: str, error: Exception, now: float) -> None:
        """Counts the fault; tells of it unless the same was told a moment ago."""
        key = (target, fault_of(error))
        self.counts[key] += 1
        told_at_s, told = self._told.get(key, (now - TOLD_EVERY_S, 0))
        if now - told_at_s < TOLD_EVERY_S:
            return
        times = self.counts[key] - told
        self._told[key] = (now, self.counts[key])
        log.warning(
            "%s: no connection to %s (%s): %s%s",
            target,
            address,
            key[1].value,
            str(error) or type(error).__name__,
            f", {times} times since it was last told" if times > 1 else "",
        )

    def note_stale(self, target: str) -> None:
        """Servers do that, and it costs nothing: only counted."""
        self.counts[target, Fault.STALE] += 1
