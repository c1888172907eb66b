"""A JSON schema's pattern is to be found somewhere in a text; a grammar is of the whole text."""

from __future__ import annotations

import re

# What is skipped as one: an escape, or a class of characters (whose first `]` is one of them).
_STEP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def whole(pattern: str) -> str:
    """The expression that a whole text matches if ``pattern`` is found in it.

    Where the anchors do not say simply how the text begins and ends, it is left as it is: the
    compiler then takes it for the whole, so that what it lets through is found all the same.
    """
    steps = _STEP.findall(pattern)
    starts = steps[:1] == ["^"]
    ends = steps[-1:] == ["$"] and len(steps) > starts
    core = steps[starts : len(steps) - ends]
    if (starts and ends) or "^" in core or "$" in core:
        return pattern
    if (starts or ends) and _has_alternatives(core):
        return pattern  # the anchor is of one of them
    before, after = "" if starts else ".*", "" if ends else ".*"
    return f"^{before}(?:{''.join(core)}){after}$"


def _has_alternatives(steps: list[str]) -> bool:
    depth = 0
    for step in steps:
        depth += (step == "(") - (step == ")")
        if step == "|" and depth == 0:
            return True
    return False
