"""Which model and target served the earlier turns of a conversation, so that it stays there.

A target that served the turn before still has its prompt in a prefix cache: elsewhere all of it
is read anew. A conversation is known by that shared prefix, so no caller has to name it: each
turn is kept by the last full block of its prompt, which the next turn's prompt holds, too.
What is kept is only what a switch would cost; whether it is worth that, the plan decides.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SESSIONS_MAX = 100_000  # about 300 bytes each
IDLE_S_MAX = 3_600  # vendors drop a prefix that nobody has read for minutes to an hour


class SessionLimit(StrEnum):
    """What bit, and how often."""

    SESSIONS = "sessions_kept"  # conversations that were forgotten before they had gone idle


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the last turn was served. ``target`` is "local" or an offer's id, ``prompt_tokens``
    what that turn's prompt had there."""

    model: str
    target: str
    prompt_tokens: int

    def cached_tokens(self, model: str, target: str, prompt_tokens: int) -> int:
        """The tokens of a next turn's prompt that this model has in its cache at this target."""
        if (model, target) != (self.model, self.target):
            return 0
        return min(self.prompt_tokens, prompt_tokens)


class Sessions:
    """``blocks`` are chained hashes of a prompt's leading blocks, the same for all models."""

    def __init__(self, sessions_max: int = SESSIONS_MAX) -> None:
        self.limits: Counter[str] = Counter({SessionLimit.SESSIONS: 0})
        self._sessions_max = sessions_max
        self._turns: OrderedDict[int, tuple[Kept, float]] = OrderedDict()  # the latest last

    def __len__(self) -> int:
        return len(self._turns)

    def find(self, blocks: Sequence[int], now: float) -> Kept | None:
        """The longest prompt that was served before and that this one goes on from."""
        turns = self._turns
        if not turns:
            return None
        for block in reversed(blocks):
            if (turn := turns.get(block)) is not None:
                kept, at = turn
                return kept if now - at <= IDLE_S_MAX else None
        return None

    def served(self, blocks: Sequence[int], kept: Kept, now: float) -> None:
        """A turn was answered. It stands in the place of the one that it goes on from."""
        if not blocks:
            return
        turns = self._turns
        for block in reversed(blocks):
            if turns.pop(block, None) is not None:
                break
        turns[blocks[-1]] = (kept, now)
        while len(turns) > self._sessions_max:
            _, (_, at) = turns.popitem(last=False)
            self.limits[SessionLimit.SESSIONS] += now - at <= IDLE_S_MAX
