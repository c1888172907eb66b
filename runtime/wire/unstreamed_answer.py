"""An answer in one piece: the same checks as a stream's, made before anything is sent of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runtime.wire.choices import (
    CUT_OFF_REASONS,
    FAILURE_REASONS,
    each_choice,
    finish_reason,
    words,
)
from runtime.wire.reported_usage import Tally, Usage


class OpenAIAnswer:
    """``body`` is sent as it came. ``fault`` is why it must not be, in a few words; ``error`` is
    what the target told instead of an answer."""

    def __init__(self, body: bytes, choices: int) -> None:
        self.body = body
        self.usage: Usage | None = None
        self.error: dict[str, Any] | None = None
        self.fault: str | None = None
        self.served_model: str | None = None
        self._told: dict[str, Any] = {}
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, dict):
            self._look_at(told, choices)
        else:
            self.fault = "it is no JSON object"

    @property
    def cut_off(self) -> bool:
        """A limit or a filter ended an answer, not the model."""
        return any(finish_reason(choice) in CUT_OFF_REASONS for choice in each_choice(self._told))

    def tokens(self, count: Callable[[str], int]) -> int:
        """The tokens of all that was generated; ``count`` tells them of a text."""
        return count("".join(map(words, each_choice(self._told))))

    def _look_at(self, told: dict[str, Any], choices: int) -> None:
        self._told = told
        model = told.get("model")
        self.served_model = model if isinstance(model, str) and model else None
        tally = Tally()
        tally.add(told)
        self.usage = tally.usage
        if is_error(told):
            self.error = told
            self.fault = "it is an error"
            return
        complete = 0
        for choice in each_choice(told):
            reason = finish_reason(choice)
            if reason in FAILURE_REASONS:
                self.fault = "the target gave up"
                return
            complete += reason is not None and _has_place_for_words(choice)
        if complete < choices:
            self.fault = f"{complete} of {choices} answers are complete"


def is_error(told: dict[str, Any]) -> bool:
    """Whether what was told, as a whole or as an event, is an error instead of an answer."""
    if told.get("error") or "error" in (told.get("object"), told.get("type")):
        return True
    base = told.get("base_resp")  # MiniMax's
    return isinstance(base, dict) and base.get("status_code") not in (0, None)


def _has_place_for_words(choice: dict[str, Any]) -> bool:
    return isinstance(choice.get("message"), dict) or isinstance(choice.get("text"), str)
