"""Every text in a value that was read from JSON, whatever field it is of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LONG_NUMBER = 10**8  # no shorter one is anybody's


def texts_in(value: Any) -> Iterator[str]:
    """Keys and long numbers, too; of any depth, which the bounds on a body have bounded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and abs(value) >= LONG_NUMBER:
        yield f"{value:.0f}"
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts_in(key)
            yield from texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_in(each)
