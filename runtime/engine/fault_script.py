"""What a scripted engine shall do wrong, and when.

A script holds for every request; a mark in a prompt such as ``[fault:die:3]`` overrides it for
one: the kind, and after how many tokens.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

SLOW_TOKEN_S = 0.05

_MARK = re.compile(r"\[fault:([a-z_]+)(?::(\d{1,6}))?\]")


class Fault(StrEnum):
    HANG = "hang"  # no more frames, the connection stays open
    DIE = "die"  # the connection closes in the middle of the answer
    NO_FINISH = "no_finish"  # the end without a finish reason
    NO_DONE = "no_done"  # a body that ends as HTTP wants it, with no word that it is the end
    ERROR_FRAME = "error_frame"  # an error, then the end, as vLLM does
    DEAD_END = "dead_end"  # the same, where the request itself leaves nothing to go on with
    NOT_JSON = "not_json"
    HUGE_FRAME = "huge_frame"
    OTHER_MODEL = "other_model"  # the answer bears another model's name
    SERVER_ERROR = "server_error"  # this and the next two: an error status instead of an answer
    BUSY = "busy"
    REJECT = "reject"


class Reports(StrEnum):
    HONEST = "honest"
    NONE = "none"  # the load stream opens and stays empty
    ABSURD = "absurd"
    ENDLESS = "endless"  # a line without an end in sight


@dataclass(frozen=True, slots=True)
class Script:
    fault: Fault | None = None
    after_tokens: int = 0
    token_s: float = 0.0
    first_token_s: float = 0.0  # before the first token, besides
    reports: Reports = Reports.HONEST

    def for_prompt(self, texts: Iterable[str]) -> Script:
        """This script, or what the first mark in a prompt makes of it."""
        found = next((mark for text in texts if (mark := _MARK.search(text))), None)
        if found is None:
            return self
        if found[1] == "slow":
            return replace(self, token_s=SLOW_TOKEN_S)
        return replace(self, fault=Fault(found[1]), after_tokens=int(found[2] or 0))


class Turnstile:
    """Lets so many tokens of each answer pass, then no more until it is turned further.

    A test decides with it when an answer goes on; no clock does.
    """

    def __init__(self) -> None:
        self._tokens: int | None = None
        self._turned = asyncio.Event()

    def hold(self, after_tokens: int = 0) -> None:
        """A whole answer waits at any bound."""
        self._tokens = after_tokens
        self._turned.set()
        self._turned = asyncio.Event()

    def open(self) -> None:
        self._tokens = None
        self._turned.set()

    async def passed(self, number: int) -> None:
        """When the token of this number, counted from 0, may pass."""
        while self._tokens is not None and number >= self._tokens:
            await self._turned.wait()


# Not JSON, no object, too few fields, below zero, no numbers.
ABSURD_REPORTS = (
    b"load: fine\n",
    b"[1, 2]\n",
    b'{"running": 1}\n',
    b'{"running": -5, "waiting": 0, "kv_tokens_used": 0, "waiting_prefill_tokens": 0, '
    b'"prefill_tok_s": null, "decode_step_s": null, "preemptions": 0, "prefix_hit_tokens": 0}\n',
    b'{"running": NaN, "waiting": "many", "kv_tokens_used": null, "waiting_prefill_tokens": {}, '
    b'"prefill_tok_s": [], "decode_step_s": 1e999, "preemptions": 0, "prefix_hit_tokens": 0}\n',
)
ENDLESS_REPORT = b'{"running": "' + b"9" * 1_000_000
