"""Origins of web pages, in the one form in which browsers send them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

EVERY = "*"

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_USUAL_PORTS = {"http": ":80", "https": ":443"}
_FORM = "an origin as a browser sends it: https://host or https://host:port"


def origin(text: str) -> str:
    """The text, if it is an origin in the one form that browsers send; else ValueError."""
    if text == EVERY:
        return text
    parts = urlsplit(text)
    if parts.path and _ORIGIN.fullmatch(f"{parts.scheme}://{parts.netloc}"):
        raise ValueError(f"an origin has no path: write {parts.scheme}://{parts.netloc}")
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(f"must be {_FORM}")
    scheme, _, port = found.groups()
    if text != text.lower():
        raise ValueError(f"browsers send an origin in lower case: write {text.lower()}")
    if port and port == _USUAL_PORTS.get(scheme):
        raise ValueError(f"browsers leave the usual port out: no {port}")
    if port and not 0 < int(port[1:]) < 65_536:
        raise ValueError(f"there is no port {port[1:]}")
    return text
