"""The ids that requests get: unguessable, and many drawn at once: each draw is a system call."""

from __future__ import annotations

import secrets

ID_BYTES = 12
DRAWN_AT_ONCE = 64


class RequestIds:
    """The ids of one process."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def next(self) -> str:
        if not self._drawn:
            digits = secrets.token_hex(ID_BYTES * DRAWN_AT_ONCE)
            size = 2 * ID_BYTES
            self._drawn = [digits[at : at + size] for at in range(0, len(digits), size)]
        return "req-" + self._drawn.pop()
