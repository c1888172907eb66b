"""Patterns of module names as globs: ``*`` is any text, ``?`` one character, nothing else is wild.

A regular expression of a checkpoint may be written to run for ever, so it is rewritten instead of
run. What cannot be rewritten exactly is refused: whoever asks has to expect anything of it.
"""

from __future__ import annotations

import re

PATTERN_CHARS_MAX = 300
GLOBS_MAX = 64  # alternatives of one pattern

_TOKEN = re.compile(
    r"(?P<any>(?:\.|\\w|\\S|\[\^\\?\.\])[*+]\??)"
    r"|(?P<digits>(?:\\d|\[0-9\])[*+])"
    r"|(?P<group>\((?:\?:)?(?P<inner>[^()]*)\)(?![*+?{]))"
    r"|(?P<one>\.|\\d|\[[\w-]+\])(?![*+?{])"
    r"|\\(?P<escaped>[.\-_])(?![*+?{])"
    r"|(?P<maybe>\w\?)"
    r"|(?P<literal>[\w-])(?![*+?{])"
)


def as_globs(entry: str) -> tuple[str, ...] | None:
    """An entry of a list of modules; None where it cannot be read.

    A name stands for itself and all below it, wherever it stands in a path; a regular expression
    (``re:``) for every path that it matches from its beginning.
    """
    if not entry or len(entry) > PATTERN_CHARS_MAX:
        return None
    if entry.startswith("re:"):
        globs = _of_regex(entry.removeprefix("re:"))
        return None if globs is None else tuple(globs)
    if not re.fullmatch(r"[\w.*?/:-]+", entry):
        return None
    name = entry.strip(".")
    return name, f"{name}.*", f"*.{name}", f"*.{name}.*"


def _of_regex(text: str) -> list[str] | None:
    whole: list[str] = []
    for branch in _branches(text):
        is_closed = branch.endswith("$")
        inner = branch.removeprefix("^").removesuffix("$")
        globs = _expanded(inner)
        if globs is None:
            return None
        whole += [glob if is_closed else f"{glob.rstrip('*')}*" for glob in globs]
    whole = list(dict.fromkeys(whole))
    return whole if len(whole) <= GLOBS_MAX else None


def _branches(text: str) -> list[str]:
    """Split at the bars that stand outside of any group."""
    branches, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "|" and depth == 0:
            branches.append("")
        else:
            branches[-1] += sign
    return branches


def _expanded(text: str) -> list[str] | None:
    globs, at = [""], 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        choices = _choices(token)
        if choices is None or len(globs) * len(choices) > GLOBS_MAX:
            return None
        globs = [glob + choice for glob in globs for choice in choices]
        at = token.end()
    return [re.sub(r"\*+", "*", glob) for glob in globs]


def _choices(token: re.Match[str]) -> list[str] | None:
    match token.lastgroup:
        case "any" | "digits":
            return ["*"]
        case "one":
            return ["?"]
        case "maybe":
            return ["", token["maybe"][0]]
        case "escaped":
            return [token["escaped"]]
        case "literal":
            return [token["literal"]]
        case _:
            found: list[str] = []
            for branch in token["inner"].split("|"):
                globs = _expanded(branch)
                if globs is None:
                    return None
                found += globs
            return found
