"""Why what a caller says of an answer is not taken."""

from __future__ import annotations

from runtime.errors import RequestError


class FeedbackRefused(RequestError):
    """Raise one of those below."""


class RequestNotFound(FeedbackRefused):
    status, code = 404, "request_not_found"
    says = "There is no such request of this tenant: send the `x-request-id` of its answer."


class NothingToJudge(FeedbackRefused):
    status, code = 409, "nothing_to_judge"
    says = "No model has answered this request, or not to its end yet."


class FeedbackExists(FeedbackRefused):
    status, code = 409, "feedback_exists"
    says = "Another score was given for this request: the first one counts."
