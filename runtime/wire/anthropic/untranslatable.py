"""What one API can say and the other cannot."""

from __future__ import annotations


class NotTaken(Exception):
    """``field`` of a request has no counterpart; never seen by a caller."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field
