"""The share clocks of all replicas, in one small file that every gateway of a ledger uses.

A replica's time is divided among the requests in flight on it, whoever sent them: two gateways,
as in every rolling upgrade, must not each bill the whole of it. And a replica that a gateway
loses from sight and finds again is still the same one. So a clock belongs to one boot of a
replica, and its state lies beside the ledger, where a lock makes each step one of its own.
Gateways of one ledger are on one host (``ledger.lock_files``), so the same monotonic time is read.

A gateway that dies leaves requests behind. The others take them off when they next look, and
the share that these had by then is billed to nobody.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

from runtime.errors import LedgerUnavailable
from runtime.ledger.liveness import Liveness
from runtime.ledger.storage_errors import explained
from runtime.ledger.store import Store
from runtime.replica_time_share import ShareClock
from runtime.request_limits import refusals

GATEWAYS_MAX = 8  # of one ledger, alive at once
SHARE_CLOCKS_MAX = 4096  # boots of replicas that are kept apart; then the idle ones give way
LOCK_TRIES_MAX, LOCK_RETRY_S = 500, 0.0001  # it is held for microseconds, unless by a frozen one
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # clocks of an earlier boot mean nothing

_HEAD = struct.Struct("<16s" + "64s" * GATEWAYS_MAX + "I")  # boot, gateways, clocks in use
_CLOCK = struct.Struct(f"<16s3q{GATEWAYS_MAX}I")  # replica, its clock, in flight by gateway
_SIZE = _HEAD.size + SHARE_CLOCKS_MAX * _CLOCK.size
_NOBODY = bytes(64)

log = logging.getLogger("baseload.shared_clocks")


class SharedClock:
    """A ``ShareClock`` of one boot of a replica, common to all gateways."""

    __slots__ = ("_clocks", "_key", "_number")

    def __init__(self, clocks: SharedClocks, key: bytes) -> None:
        self._clocks = clocks
        self._key = key
        self._number = 0  # where in the file it was last found

    def start(self, now_ns: int) -> int:
        """A request begins; returns the mark to hand to ``stop``. Raises LedgerUnavailable where
        its share could not be measured."""
        try:
            with self._clocks as clocks:
                state = self._state()
                mark = state.clock.start(now_ns)
                state.in_flight[clocks.place] += 1
                clocks.write(self._number, state)
        except OSError as error:
            log.error("a replica's time cannot be measured: %s", error)
            raise LedgerUnavailable from error
        return mark

    def stop(self, mark: int, now_ns: int) -> int:
        """The request that got ``mark`` ends; returns its share of the replica's time in ns, or 0
        where that was lost."""
        try:
            with self._clocks as clocks:
                state = self._state()
                if not state.in_flight[clocks.place]:  # another gateway took this one for dead
                    return 0
                share_ns = state.clock.stop(mark, now_ns)
                state.in_flight[clocks.place] -= 1
                clocks.write(self._number, state)
        except OSError as error:
            log.error("the share of a request is lost: %s", error)
            return 0
        return max(0, share_ns)

    def _state(self) -> _State:
        state = self._clocks.read(self._number)
        if state.key != self._key:
            self._number = self._clocks.find(self._key)
            state = self._clocks.read(self._number)
        return state


@dataclass(slots=True)
class _State:
    """As it is in the file. ``in_flight`` is by the place of each gateway."""

    key: bytes
    clock: ShareClock
    in_flight: list[int]

    @classmethod
    def new(cls, key: bytes) -> _State:
        return cls(key, ShareClock(), [0] * GATEWAYS_MAX)

    @classmethod
    def read(cls, record: bytes) -> _State:
        key, virtual_ns, undivided_ns, at_ns, *in_flight = _CLOCK.unpack(record)
        return cls(key, ShareClock(virtual_ns, undivided_ns, at_ns, sum(in_flight)), in_flight)

    def packed(self) -> bytes:
        clock = self.clock
        times = (clock.virtual_ns, clock.undivided_ns, clock.at_ns)
        return _CLOCK.pack(self.key, *times, *self.in_flight)


class SharedClocks:
    """One for a gateway, which must own the ledger by then. ``with`` holds the file's lock."""

    def __init__(self, file: int, liveness: Liveness, owner: str) -> None:
        """Use ``open``."""
        self.place = 0
        self._file = file
        self._liveness = liveness
        self._owner = owner

    @classmethod
    def open(cls, ledger: Store, owner: str) -> SharedClocks:
        """Raises LedgerUnavailable, with a line for the operator."""
        path = ledger.host_file("clocks")
        with explained(str(path)):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            clocks = cls(file, ledger.liveness, owner)
            try:
                with clocks:
                    clocks._enter()
            except BaseException:
                os.close(file)
                raise
        return clocks

    def close(self) -> None:
        if self._file < 0:
            return
        with self:
            self._forget(self.place)
        os.close(self._file)
        self._file = -1  # its number may be another file's from here on

    def clock(self, replica_id: str, generation: int) -> SharedClock:
        """The clock of one boot of a replica: the same clock, however often it is asked for."""
        key = blake2b(f"{generation} {replica_id}".encode(), digest_size=16).digest()
        return SharedClock(self, key)

    def forget_dead(self) -> None:
        """Takes off what gateways that have died left in flight."""
        try:
            with self:
                _, gateways, _ = self._head()
                for place, name in enumerate(gateways):
                    if name != _NOBODY and place != self.place and not self._is_alive(name):
                        self._forget(place)
        except OSError as error:
            log.warning("clocks of gateways that have died stay for now: %s", error)

    # -- under the lock -------------------------------------------------------------------

    def __enter__(self) -> SharedClocks:
        if self._file < 0:
            raise OSError("the clocks are closed")
        for _ in range(LOCK_TRIES_MAX):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_RETRY_S)
            else:
                return self
        raise OSError("another gateway does not let go of the clocks")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def read(self, number: int) -> _State:
        return _State.read(os.pread(self._file, _CLOCK.size, _offset(number)))

    def write(self, number: int, state: _State) -> None:
        os.pwrite(self._file, state.packed(), _offset(number))

    def find(self, key: bytes) -> int:
        """Where a clock is: known, or new, or in place of an idle one, which nobody waits for."""
        boot, gateways, used = self._head()
        states = self._states(used)
        for number, state in enumerate(states):
            if state.key == key:
                return number
        number = used
        if used < SHARE_CLOCKS_MAX:
            self._write_head(boot, gateways, used + 1)
        else:
            idle = (number for number, state in enumerate(states) if not any(state.in_flight))
            number = next(idle, SHARE_CLOCKS_MAX)
        if number == SHARE_CLOCKS_MAX:
            refusals["share_clocks_max"] += 1
            raise OSError(f"{SHARE_CLOCKS_MAX} replicas are busy at once")
        self.write(number, _State.new(key))
        return number

    def _enter(self) -> None:
        """Takes a place; the first of this boot, or after all have gone, begins with no clocks."""
        boot = blake2b(BOOT_ID.read_bytes(), digest_size=16).digest()
        os.posix_fallocate(self._file, 0, _SIZE)  # so that no write can find the disk full
        written, gateways, used = self._head()
        alive = [name != _NOBODY and self._is_alive(name) for name in gateways]
        if written != boot or not any(alive):
            gateways, used, alive = [_NOBODY] * GATEWAYS_MAX, 0, [False] * GATEWAYS_MAX
            os.pwrite(self._file, bytes(_SIZE), 0)
            self._write_head(boot, gateways, used)
        if all(alive):
            raise LedgerUnavailable(f"{GATEWAYS_MAX} gateways use this ledger already")
        self.place = alive.index(False)
        self._forget(self.place)
        gateways[self.place] = self._owner.encode().ljust(len(_NOBODY), b"\0")
        self._write_head(boot, gateways, used)

    def _is_alive(self, name: bytes) -> bool:
        return self._liveness.is_alive(name.rstrip(b"\0").decode())

    def _forget(self, place: int) -> None:
        """What a gateway has in flight ends where each clock stands, and its place is free."""
        boot, gateways, used = self._head()
        for number, state in enumerate(self._states(used)):
            if state.in_flight[place]:
                state.in_flight[place] = 0
                self.write(number, state)
        gateways[place] = _NOBODY
        self._write_head(boot, gateways, used)

    def _states(self, used: int) -> list[_State]:
        table = os.pread(self._file, used * _CLOCK.size, _HEAD.size)
        starts = range(0, len(table), _CLOCK.size)
        return [_State.read(table[start : start + _CLOCK.size]) for start in starts]

    def _head(self) -> tuple[bytes, list[bytes], int]:
        boot, *gateways, used = _HEAD.unpack(os.pread(self._file, _HEAD.size, 0))
        return boot, gateways, used

    def _write_head(self, boot: bytes, gateways: list[bytes], used: int) -> None:
        os.pwrite(self._file, _HEAD.pack(boot, *gateways, used), 0)


def _offset(number: int) -> int:
    return _HEAD.size + number * _CLOCK.size
