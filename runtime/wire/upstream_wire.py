"""The seam between how our callers ask and how a target is asked, where the two are not alike.

A dialect is the caller's; a wire is the target's. Where both are OpenAI's there is none in
between: ``wire_of`` returns None, and bytes pass as they came. A wire translates from and to chat
completions, which every dialect can be written as.
"""

from __future__ import annotations

from typing import Any, Protocol

from models.vendors import VendorTerms, Wire
from runtime.wire.anthropic.anthropic_upstream import AnthropicWire
from runtime.wire.dialect import UpstreamCall
from runtime.wire.sse import FrameScanner


class UpstreamWire(Protocol):
    """An API as targets speak it. Its instances are constants: they keep nothing.

    ``chat`` are the fields of a chat completion's request, with the model's name at the target.
    """

    def refused_field(self, chat: dict[str, Any]) -> str | None:
        """What of the request cannot be said in this API; None where all of it can."""
        ...

    def call(self, chat: dict[str, Any]) -> UpstreamCall:
        """What the target is sent, of a request that has no refused field."""
        ...

    def scanner(self, *, wants_usage: bool, asked_unix_s: int) -> FrameScanner:
        """A reader of the target's stream, which passes on a chat completion's."""
        ...

    def chat_answer(self, body: bytes, asked_unix_s: int) -> bytes:
        """The target's answer in one piece as a chat completion; never raises."""
        ...


_WIRES: dict[Wire, UpstreamWire | None] = {Wire.OPENAI: None, Wire.ANTHROPIC: AnthropicWire()}


def wire_of(terms: VendorTerms | None) -> UpstreamWire | None:
    """None where the target speaks OpenAI's API."""
    return None if terms is None else _WIRES[terms.wire]
