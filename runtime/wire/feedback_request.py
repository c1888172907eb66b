"""What a caller says of the answer to an earlier request: a score, or whether it was a success."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationError

from runtime.errors import BadRequest, BodyTooLarge
from runtime.request_limits import LIMITS, refusals
from runtime.wire.drop_unknown_fields import tidy
from runtime.wire.field_types import Strict
from runtime.wire.json_body import decode
from runtime.wire.validation_error import to_error

_OTHER_NAMES = {"requestId": "request_id"}

Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class FeedbackRequest(Strict):
    """``score`` or ``success``, one of them."""

    request_id: str = Field(min_length=1, max_length=LIMITS.name_chars_max)
    score: Score | None = None
    success: bool | None = None

    @property
    def value(self) -> float:
        """0 to 1."""
        return self.score if self.score is not None else float(bool(self.success))


_KNOWN = frozenset(FeedbackRequest.model_fields)


def parse_feedback(body: bytes) -> tuple[FeedbackRequest, tuple[str, ...]]:
    """And the names of what was dropped of it. Raises BadRequest and its like."""
    if len(body) > LIMITS.feedback_bytes_max:
        refusals["feedback_bytes_max"] += 1
        raise BodyTooLarge(f"Feedback may have at most {LIMITS.feedback_bytes_max} bytes.")
    document = decode(body)
    for other, name in _OTHER_NAMES.items():
        if other in document and name not in document:
            document[name] = document.pop(other)
    dropped = tidy(document, _KNOWN)
    try:
        told = FeedbackRequest.model_validate(document)
    except ValidationError as failed:
        raise to_error(failed, document) from None
    if (told.score is None) == (told.success is None):
        raise BadRequest("Send `score`, from 0 to 1, or `success`, and not both.", param="score")
    return told, dropped
