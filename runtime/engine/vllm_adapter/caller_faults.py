"""An answer that cannot go on because of its own request is the caller's fault, not the engine's.

vLLM ends a request with an error when the grammar takes none of the tokens that are left: where
`bad_words`, `allowed_token_ids`, `logit_bias` or `min_tokens` bar all of them, or where no answer
can satisfy it at all. It calls that an internal error, as if the engine were at fault.
Needs no vLLM: it gets vLLM's objects.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

SAYS = (
    "No token that is allowed continues an answer of the form that was asked for: look at the "
    "schema, bad_words, allowed_token_ids, logit_bias and min_tokens."
)

_is_held: ContextVar[bool] = ContextVar("is_held", default=False)


def note_form(request: Any) -> None:
    """Notes for the request that the current task serves whether a grammar holds its answer."""
    form = getattr(request, "response_format", None)
    choice = getattr(request, "tool_choice", None)
    _is_held.set(
        request.structured_outputs is not None
        or (form is not None and form.type != "text")
        or (bool(getattr(request, "tools", None)) and choice != "none")
    )


def blame_the_form(serving: Any, refusal: Callable[[str], Exception]) -> None:
    """Makes ``serving`` raise a refusal, from now on, where such a request ends with an error."""
    raise_if_error = serving._raise_if_error

    def raise_what_it_is(finish_reason: str | None, request_id: str) -> None:
        if finish_reason == "error" and _is_held.get():
            raise refusal(SAYS)
        raise_if_error(finish_reason, request_id)

    serving._raise_if_error = raise_what_it_is
