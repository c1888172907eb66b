"""What the content frames of one stream have in common: all but the words.

From one frame to the next only a few characters change, between a head and a tail that stay. A
frame with the same two, and no quote between them, has the same keys and values, and is content
if the other was. To see that takes half of the time of looking for all keys.
"""

from __future__ import annotations

import re

FRAME_BYTES_MAX = 4_096  # a longer one is not kept
TRIES_MAX = 16  # some vendors write another id or time into each frame

_WORDS = re.compile(rb'"(?:content|text|reasoning_content|reasoning)": ?"((?:[^"\\]|\\.)*)')


class Likeness:
    """What the content frames of one stream have in common."""

    __slots__ = ("_head", "_head_size", "_tail", "_tail_size", "_tries")

    def __init__(self) -> None:
        self._head = self._tail = b"\0"  # no frame has it
        self._head_size = self._tail_size = 1
        self._tries = TRIES_MAX

    def holds(self, frame: bytes) -> bool:
        """Whether it is like the one that was learned. Runs once per token."""
        return (
            frame.startswith(self._head)
            and frame.endswith(self._tail)
            and frame.find(b'"', self._head_size, len(frame) - self._tail_size) < 0
        )

    def learn(self, content: bytes) -> None:
        """A frame that surely is content, whole."""
        if not self._tries or len(content) > FRAME_BYTES_MAX:
            return
        self._tries -= 1
        if found := _WORDS.search(content):
            self._head, self._tail = content[: found.start(1)], content[found.end() :]
            self._head_size, self._tail_size = len(self._head), len(self._tail)
