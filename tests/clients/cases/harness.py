"""A case is a function; each prints one line of JSON for whoever started this process.

Run in the virtual environment of a client, so that nothing but the standard library is there.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Callable
from typing import Any

BASE_URL = os.environ["BASELOAD_URL"]
API_KEY = os.environ["BASELOAD_KEY"]
MODEL = os.environ["BASELOAD_MODEL"]
WHY_CHARS_MAX = 300

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "strict": True,  # else an engine may fill a call with any JSON, and random weights do
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Berlin", "Shanghai"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
FORCED = {"type": "function", "function": {"name": "weather"}}

_cases: list[Callable[[], Any]] = []


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    _cases.append(function)
    return function


def raises(kind: type[Exception], says: str, function: Callable[[], Any]) -> None:
    """The refusal reaches the caller with the words that say what to do instead."""
    try:
        function()
    except kind as error:
        if says in str(error):
            return
        raise AssertionError(f"{says!r} is not in {error}") from error
    raise AssertionError(f"{kind.__name__} was not raised")


def main(client: str) -> None:
    for function in _cases:
        try:
            done = function()
            if inspect.iscoroutine(done):
                asyncio.run(done)
            why = ""
        except Exception as error:  # noqa: BLE001 -- whatever a client raises is a failed case
            why = f"{type(error).__name__}: {error}"[:WHY_CHARS_MAX] or "failed"
        print(json.dumps({"client": client, "case": function.__name__, "why": why}), flush=True)
