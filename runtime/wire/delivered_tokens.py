"""How much of a streamed answer has been passed on, for a bill where its target tells none.

A frame is no token: a vendor may send twenty at once. So the bytes are counted, which costs next
to nothing, and an even sample of the pieces is kept: it shows how much of a frame is answer, and
what its text looks like.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from runtime.wire.choices import each_choice, words

PIECES_KEPT_MAX = 32  # with more, every second one is dropped
PIECE_BYTES_MAX = 16 * 1024  # a larger one is kept only if it is the first


class Delivered:
    __slots__ = ("_every", "_kept", "_next", "bytes", "frames")

    def __init__(self) -> None:
        self.bytes = 0
        self.frames = 0  # that may carry answer
        self._kept: list[bytes] = []
        self._every = 1  # so many frames lie between two pieces that are kept
        self._next = 1

    def add(self, piece: bytes, frames: int) -> None:
        """Adds whole frames; runs once per piece."""
        self.bytes += len(piece)
        self.frames = frames = self.frames + frames
        if frames >= self._next:
            self._keep(piece)

    def tokens(self, count: Callable[[str], int]) -> int:
        """About so many were delivered; ``count`` tells them of a text."""
        frames = [choices for piece in self._kept for choices in _frames(piece)]
        if not frames:  # none that stands in one line: then a frame is all that is known
            return self.frames
        sample = "".join(words(choice) for choices in frames for choice in choices)
        if not sample:
            return 0
        sample_bytes = len(sample.encode("utf-8", "surrogatepass"))
        kept_bytes = sum(map(len, self._kept))
        # What a frame holds besides answer is much the same in each.
        other_bytes = (kept_bytes - sample_bytes) / len(frames)
        more_bytes = self.bytes - kept_bytes - (self.frames - len(frames)) * other_bytes
        return round(count(sample) * (1 + max(0.0, more_bytes) / sample_bytes))

    def _keep(self, piece: bytes) -> None:
        if len(piece) > PIECE_BYTES_MAX and self._kept:
            return
        self._kept.append(piece)
        if len(self._kept) > PIECES_KEPT_MAX:
            del self._kept[1::2]
            self._every *= 2
        self._next = self.frames + self._every


def _frames(piece: bytes) -> Iterator[list[dict[str, Any]]]:
    """The choices of each frame."""
    for line in piece.split(b"\n"):
        try:
            told = json.loads(line.removeprefix(b"data:"))
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and (choices := list(each_choice(told))):
            yield choices
