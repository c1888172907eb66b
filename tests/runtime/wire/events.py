"""Events of a stream, as a scanner reads them."""

from __future__ import annotations

import json
from typing import Any

from runtime.wire.sse import FrameScanner

DONE = b"data: [DONE]\n\n"


def frame(told: Any, end: str = "\n\n", tight: bool = True) -> bytes:
    separators = (",", ":") if tight else (", ", ": ")
    text = json.dumps(told, separators=separators, ensure_ascii=False)
    return f"data: {text}{end}".encode()


def chunk(text: str | None, finish: str | None = None, index: int = 0, **more: Any) -> Any:
    choice = {"index": index, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "choices": [choice], **more}


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
USAGE_FRAME = frame({"id": "c-1", "choices": [], "usage": USAGE})
PLAIN = frame(chunk("a"))


def flowing(**options: Any) -> FrameScanner:
    """A scanner of a stream that has begun: one frame of content has passed."""
    scanner = FrameScanner(**options)
    assert scanner.feed(PLAIN) == PLAIN
    return scanner
