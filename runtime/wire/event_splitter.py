"""An event stream cut into its events, whichever API's they are."""

from __future__ import annotations

EVENT_END = b"\n\n"


class EventSplitter:
    """Cuts one stream. Its lines may end in CR, LF or both, and come in any pieces; those of the
    events that it makes end in LF."""

    __slots__ = ("_after_cr", "_searched", "held")

    def __init__(self) -> None:
        self.held = bytearray()  # the beginning of an event
        self._searched = 0  # how far it has been searched for its end
        self._after_cr = False  # a line end may have been cut in two

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are whole by now, each with its empty line."""
        if not chunk:
            return []
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_plain_line_ends(chunk)
        held = self.held
        held += chunk
        events: list[bytes] = []
        start = 0
        search = max(0, self._searched - 1)  # the end of an event may be split, too
        while (found := held.find(EVENT_END, search)) >= 0:
            end = search = found + len(EVENT_END)
            events.append(bytes(held[start:end]))
            start = end
        del held[:start]
        self._searched = len(held)
        return events

    def end(self) -> list[bytes]:
        """The stream has ended: what lacks only its empty line is an event, too."""
        return self.feed(EVENT_END) if self.held.strip() else []

    def _with_plain_line_ends(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
