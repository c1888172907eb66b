"""Which owners are alive: the open attempts of the others are nobody's, and a sweep ends them.

What it rests on is the implementation's: locks of the kernel on one host (``lock_files``), or
leases with a term where the owners are on many.
"""

from __future__ import annotations

from typing import Protocol


class Claim(Protocol):
    """The proof that an owner lives, held by its own process."""

    def renew(self) -> None:
        """Says again that the owner lives; called every few seconds. Raises LedgerUnavailable
        where the name was lost to another process: then its attempts are the other's to end."""

    def end(self) -> None:
        """The owner is dead from here on. May be called twice."""


class Liveness(Protocol):
    """A dead owner may be found alive for a while; a living one is never found dead. An attempt
    that is ended late is only late, one that is ended too early is billed wrongly. Where it cannot
    be known, any call raises LedgerUnavailable or OSError."""

    def claim(self, owner: str) -> Claim:
        """Raises LedgerUnavailable where another living process has the name, and ValueError for
        one that cannot be a name."""

    def is_alive(self, owner: str) -> bool:
        """Whether somebody holds a claim to the name. Looks without leaving a trace."""

    def forget(self, owner: str) -> None:
        """Clears away what a dead owner left. Nothing happens to a living one."""
