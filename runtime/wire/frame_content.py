"""One event of a stream: does it carry answer and no more, and what is its data.

The search for keys is sound: inside a JSON string a quote is escaped, so ``"finish_reason":`` with
both quotes is a key.
"""

from __future__ import annotations

import json
import re
from typing import Any

from runtime.wire.event_splitter import EVENT_END
from runtime.wire.unstreamed_answer import is_error

DONE = b"data: [DONE]\n\n"
_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = (b"}\n\n", b"}")
_NULL = (b":null", b": null")
_GOES_ON = (*_NULL, b':""', b': ""')  # some send an empty finish reason
_FINISH = b'"finish_reason"'
_USAGE = b'"usage"'
_ERROR = b'"error"'
_ERROR_EVENT = re.compile(rb"^event: ?error *$", re.MULTILINE)
# The words of a content frame, where they are told as most tell them; and a frame without any.
_WORDS = re.compile(
    rb'"(?:content|text|reasoning_content|reasoning|refusal)": ?"[^"]|"tool_calls": ?\[\{'
)
_MODEL = re.compile(rb'"model": ?"([^"\\]{1,256})"')
_ONLY_A_ROLE = b'"delta":{"role":"assistant","content":""}'


def is_content(frame: bytes) -> bool:
    """Whether a frame of one line surely carries answer and no more, be its end there or cut off.
    False is no verdict.

    Runs once per token: searches from the right take half the time of those from the left.
    """
    if not (frame.startswith(b"data: {") and frame.endswith(_LINE_ENDS)):
        return False
    usage = frame.rfind(_USAGE)
    if usage >= 0 and not frame.startswith(_NULL, usage + len(_USAGE)):
        return False
    # A frame that names no finish reason may hold no choice, one that names two holds several.
    finish = frame.rfind(_FINISH)
    return (
        finish >= 0
        and frame.startswith(_GOES_ON, finish + len(_FINISH))
        and frame.find(_FINISH) == finish
        and frame.rfind(_ERROR) < 0
    )


def surely_has_words(content: bytes) -> bool | None:
    """Says whether a content frame has words; None is no verdict."""
    if _WORDS.search(content):
        return True
    return False if _ONLY_A_ROLE in content else None


def last_content_end(chunk: bytes) -> int:
    """Where the last frame that may be content ends; 0 if there is none."""
    last = max(chunk.rfind(_FINISH + null) for null in _NULL)
    end = chunk.find(EVENT_END, last) if last >= 0 else -1
    return end + len(EVENT_END) if end >= 0 else 0


def model_told(frames: bytes) -> str | None:
    """The model that the first of the frames that names one says to be from."""
    found = _MODEL.search(frames)
    return found[1].decode("utf-8", "replace") if found else None


def data_of(frame: bytes) -> bytes | None:
    """None of a comment, and of fields that carry nothing."""
    if frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2:
        return frame[6:-2]
    lines = frame.removeprefix(_BOM).split(b"\n")
    values = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    return b"\n".join(values) if values else None


def decoded(data: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def tells_error(frame: bytes, told: dict[str, Any]) -> bool:
    return is_error(told) or (b"event:" in frame and _ERROR_EVENT.search(frame) is not None)
