"""Text as its reader will see it: what JSON, URLs and HTML write in another way, written plainly.

Tool calls and their results are JSON, often within JSON; links hold addresses and numbers.
"""

from __future__ import annotations

import html
import re

# Each time that JSON stands in JSON, backslashes double. A bound, so that a long row of them is not
# looked at again from each of them.
_JSON = re.compile(r"\\\\{0,15}(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtbf])|([\"'/@]))")
_SURROGATE = re.compile("[\ud800-\udfff]")
_URL = re.compile(r"%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*")
_HTML = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24});")


def decoded(text: str) -> str:
    """Its length may change. Text that holds none of these costs three looks."""
    if "\\" in text:
        text = _JSON.sub(_of_json, text)
        if _SURROGATE.search(text):  # two escapes that are one character
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "%" in text:
        text = _URL.sub(_of_url, text)
    if "&" in text:
        text = _HTML.sub(_of_html, text)
    return text


def _of_json(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    if code:
        return chr(int(code, 16))
    return "\n" if found[3] else found[4]


def _of_url(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace")


def _of_html(found: re.Match[str]) -> str:
    return html.unescape(found[0])
