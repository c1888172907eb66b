"""How a message may quote what a caller sent: short, printable, and in its place."""

from __future__ import annotations

from runtime.request_limits import LIMITS

Path = tuple[str | int, ...]  # into a body of JSON: names and positions


def shown(text: str) -> str:
    """A caller's text as an error message may quote it: short, printable, valid UTF-8."""
    if len(text) <= LIMITS.shown_chars_max and text.isprintable():
        return text
    text = text if len(text) <= LIMITS.shown_chars_max else text[: LIMITS.shown_chars_max] + "…"
    return "".join(c if c.isprintable() else "�" for c in text)


def written(path: Path) -> str | None:
    """A place in a request as a message tells it; None for the request itself."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shown(step)}"
    return text.lstrip(".") or None
