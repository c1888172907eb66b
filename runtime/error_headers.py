"""The headers that tell a client what to do about an error."""

from __future__ import annotations

from runtime.errors import RETRIED_BY_CLIENTS, BaseloadError, MethodNotAllowed


def error_headers(error: BaseloadError) -> dict[str, str]:
    """All names are in lower case."""
    told: dict[str, str] = {}
    if error.retry_after_s is not None:
        told["retry-after"] = str(error.retry_after_s)
    if error.reason is not None:
        told["x-baseload-reason"] = error.reason
    retried_unasked = error.status >= 500 or error.status in RETRIED_BY_CLIENTS
    if retried_unasked and not error.retryable:
        told["x-should-retry"] = "false"
    if isinstance(error, MethodNotAllowed):
        told["allow"] = ", ".join(error.allow)
    if error.status == 401:
        told["www-authenticate"] = "Bearer"
    return told
