"""What Anthropic tells of the tokens of one answer: in a stream at its start and at its end."""

from __future__ import annotations

from typing import Any

from runtime.wire.reported_usage import USAGE, Tally, Usage


class AnthropicTally:
    """The start tells the prompt. Its count of the answer is of the first tokens only: what has
    come by the end is told at the end, or is not known."""

    __slots__ = ("_tally",)

    def __init__(self) -> None:
        self._tally = Tally()

    @property
    def usage(self) -> Usage | None:
        """None while nothing that can be believed was told."""
        return self._tally.usage

    def begin(self, message: dict[str, Any]) -> None:
        usage = message.get(USAGE)
        if isinstance(usage, dict):
            told = {name: count for name, count in usage.items() if name != "output_tokens"}
            self._tally.add({USAGE: told})

    def add(self, told: dict[str, Any]) -> None:
        """A whole answer, or an event that ends one: it tells all tokens up to there."""
        self._tally.add({USAGE: told.get(USAGE)})
