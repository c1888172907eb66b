"""The error of a start: not HTTP, so it stands beside the tree of runtime/errors.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.errors import BaseloadError

LOG_HEADING = "The end of its log, "
LOG_LINE = "  | "


class StartFailed(BaseloadError):
    """What was started died, or never will be there.

    ``message`` is one line; ``log_path`` is the log of what failed and ``log_tail`` its end.
    ``str()`` has all of it, because it becomes the status of a deployment.
    """

    status, type, code = 500, "internal_error", "start_failed"
    retryable = False
    says = "It did not start."

    def __init__(
        self, message: str = "", log_path: str | None = None, log_tail: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.log_path = log_path
        self.log_tail = tuple(log_tail)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.log_path, self.log_tail)

    def __str__(self) -> str:
        return "\n".join([self.message, *self.log_lines()])

    def log_lines(self) -> list[str]:
        """The end of the log under a heading; [] where nothing is known of it."""
        if not self.log_tail:
            return []
        return [f"{LOG_HEADING}{self.log_path}:", *(LOG_LINE + line for line in self.log_tail)]
