"""E-mail addresses, also as people write them so that machines do not read them."""

from __future__ import annotations

import re

# Of those that are no names of attributes in code.
_TLD = "(?:com|net|org|edu|gov|info|cn|hk|tw|sg|vn|jp|kr|de|fr|eu|uk)(?![\\w-])"
_MAILERS = "(?:qq|163|126|139|sina|foxmail|gmail|outlook|hotmail|yahoo|icloud)"
_OPEN, _CLOSE = "[\\[({<（【［《]", "[\\])}>）】］》]"
# The domain may be of any script.
_PLAIN = re.compile(
    r"@(?<=[\w.+%-]@)(?<!\bgit@)[^\W_](?:[\w\u00b7\u2010-\u2015-]{0,62}\.){1,9}[^\W\d_]{2}"
)
_DOT = " ?(?:\\.|。|点|點) ?"
_SPACED = re.compile(
    r"@(?<!\bgit@)(?:(?<=\w@) ?|(?<=\w @) )[a-z0-9-]{1,63}"
    rf"(?:{_DOT}[a-z0-9-]{{1,63}}){{0,2}}{_DOT}{_TLD}"
)
_IN_BRACKETS = re.compile(
    rf"{_OPEN} ?(?:at|@|艾特) ?{_CLOSE} ?[\w-]{{1,63}}"
    rf"(?:\.| ?{_OPEN} ?(?:dot|\.|点) ?{_CLOSE} ?| dot )[^\W\d_]{{2}}"
)
_IN_WORDS = re.compile(rf" at [\w-]{{1,63}}(?: dot [\w-]{{1,63}}){{0,3}} dot {_TLD}")
_BY_ANOTHER_SIGN = re.compile(rf"(?:#|\*|艾特|圈a)(?<=\w.){_MAILERS}(?:\.|点)com(?![a-z])")


def has_email_address(text: str) -> bool:
    if "@" in text and _PLAIN.search(text):
        return True
    lowered = text.lower()
    return bool(
        _IN_BRACKETS.search(lowered)
        or ("@" in lowered and _SPACED.search(lowered))
        or (" dot " in lowered and _IN_WORDS.search(lowered))
        or ("com" in lowered and _BY_ANOTHER_SIGN.search(lowered))
    )
