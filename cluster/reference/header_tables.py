"""The tables of headers in ``docs/api.md``: what a request may say of itself, what answers say."""

from __future__ import annotations

import re

from benchmarks.documents.markdown import table
from cluster.enum_comments import NoMeaning, commented
from runtime.edge.response_headers import ANSWER_HEADERS, REFUSAL_HEADERS
from runtime.wire.tags import TAG_DEFAULTS, TAG_HEADERS, TAG_MEANINGS
from scheduler.decision import Reason

# Names in running text that a reader could type: keys, headers, targets.
_CODE = re.compile(
    r"X-Baseload-\w+: \w+|(?:local|offer):<[a-z<>/]+|(?<=\(): [^)]*|\[DONE\]"
    r"|[a-z]+_[a-z_]+(?:\.\w+)*"
)


def blocks() -> dict[str, str]:
    """The bodies of the page's generated blocks, by their names."""
    return {
        "request-headers": _requests(),
        "answer-headers": _answers(),
        "reasons": table(
            ("reason", "meaning"),
            ((f"`{value}`", meaning) for value, meaning in commented(Reason).items()),
            "ll",
        ),
    }


def _requests() -> str:
    rows = []
    for name, allowed in TAG_HEADERS.items():
        if not (meaning := TAG_MEANINGS[name]):
            raise NoMeaning(f"{name} has no meaning: write one in runtime/wire/tags.py")
        default = TAG_DEFAULTS[name]
        shown = "–" if default is None else f"`{default.value}`"
        rows.append((f"`{name.title()}`", _marked(meaning), allowed, shown))
    return table(("header", "meaning", "values", "default"), rows, "llll")


def _answers() -> str:
    rows = [
        (f"`{name}`", header.on, _marked(header.meaning))
        for name, header in (ANSWER_HEADERS | REFUSAL_HEADERS).items()
    ]
    return table(("header", "on", "meaning"), rows, "lll")


def _marked(text: str) -> str:
    return _CODE.sub(lambda found: f"`{found[0]}`", text)
