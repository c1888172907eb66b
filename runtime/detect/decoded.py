"""Text as its reader will see it: what JSON, URLs and HTML write in another way, written plainly,
without the marks of HTML and of terminals.

Tool calls and their results are JSON, often within JSON; links hold addresses and numbers.
"""

from __future__ import annotations

import html
import re

# Each time that JSON stands in JSON, backslashes double. A bound, so that a long row of them is not
# looked at again from each of them. Markdown and TeX have them before signs.
_JSON = re.compile(
    r"\\\\{0,15}(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8})"
    r"|([nrtbf])|([ ,])|([\"'/@\-_.*()+#`]))"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_URL = re.compile(r"%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*")
_HTML = re.compile(r"&(?:#[0-9]{1,9};?|#[xX][0-9a-fA-F]{1,6};?|[A-Za-z]{2,24};)")
_LINE = re.compile(r"<br ?/?>")
# Only those that a number or an address can go on after.
_INLINE = re.compile(
    r"</?(?:b|i|u|s|a|em|strong|span|wbr|font|code|mark|small|nobr)\b[^<>]{0,200}>"
    r"|<!--[^<>]{0,200}-->"
)
_TERMINAL = re.compile(r"\x1b\[[0-9;]{0,12}[A-Za-z]")
_TIMES = 2  # one writing in another


def decoded(text: str) -> str:
    """Its length may change. Text that holds none of these costs a few looks."""
    if "\x1b" in text:
        text = _TERMINAL.sub("", text)
    for _ in range(_TIMES):
        before = text
        text = _once(text)
        if text == before:
            break
    if "</" in text or "<!--" in text or "<wbr" in text:
        text = _INLINE.sub("", text)
    return _LINE.sub("\n", text) if "<br" in text else text


def _once(text: str) -> str:
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
    code = found[1] or found[2] or found[3] or found[4]
    if code:
        value = int(code, 16)
        return chr(value) if value <= 0x10FFFF else "\ufffd"
    if found[5]:
        return "\n"
    return " " if found[6] else found[7]


def _of_url(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace")


def _of_html(found: re.Match[str]) -> str:
    return html.unescape(found[0])
