"""Everything that can end a request, or keep the runtime from starting.

    BaseloadError
    ├── ConfigError              not HTTP: raised at start, one line that says what to do
    ├── StartFailed              what was started died: in runtime/start_failed.py
    ├── InternalError       500  a defect here; its text goes to the log, never to the client
    ├── RequestError             the caller's request is at fault; the same bytes fail again
    │   ├── BadRequest      400
    │   ├── UnknownField    400
    │   ├── ContextTooLong  400
    │   ├── NoSuitableModel 400 no model of the rule that was asked may answer
    │   ├── InvalidApiKey   401
    │   ├── AdminsOnly      403
    │   ├── OtherTenant     403  a header names another tenant than the key does
    │   ├── NoCompliantTarget 403 a rule of a policy pack forbids every target
    │   ├── ModelNotFound   404
    │   ├── RouteNotFound   404
    │   ├── FeedbackRefused 4xx  what was said of an answer: in runtime/feedback_errors.py
    │   ├── MethodNotAllowed 405
    │   ├── RequestTimeout  408  the body did not arrive in time; may be sent again
    │   ├── BodyTooLarge    413
    │   ├── UnsupportedMediaType 415
    │   ├── HeaderTooLarge  431
    │   └── UpstreamRejected 4xx the target read the request and refused it
    │       └── ContentRefused 4xx by a policy on content: no other target is asked
    ├── CapacityError            the request is fine, nothing can take it
    │   ├── QueueFull       429
    │   ├── TenantLimitReached 429 of its tenant's own limits
    │   ├── SpillCapped     429  nor may it be bought: a budget or a limit forbids
    │   ├── VendorsLimited  429  all that were asked have reached limits of their own
    │   ├── NoTarget        503
    │   ├── Draining        503
    │   ├── LedgerUnavailable 503
    │   └── QueueTimeout    504
    └── TargetError              work was dispatched and failed there
        ├── UpstreamFailed  502  before the first byte
        │   ├── DeadlineExceeded 504 the time of the whole request was up, before it or after
        │   ├── NotStarted  502  refused before any work: safe to send elsewhere
        │   └── BadAnswer   502  an answer came, and it cannot be used
        │       └── OtherModel 502 for it is of another model than the one that was asked for
        ├── StreamBroken    502  after it: ended with no finish reason, or with an error
        └── StreamStalled   504  after it: no token for too long

``retryable``: sending it again can help. Official clients retry 408, 409, 429 and 5xx on their own;
where that only spends twice, ``error_headers`` says ``x-should-retry: false``.
"""

from __future__ import annotations

from scheduler.decision import Outcome

RETRIED_BY_CLIENTS = frozenset({408, 409, 429})  # and every 5xx
RETRY_AFTER_S = 1  # when the scheduler cannot predict better


class BaseloadError(Exception):
    """``message`` reaches the client: no paths, addresses or exception texts in it."""

    status: int
    type: str
    code: str
    retryable: bool
    says: str  # the message when the raiser has nothing to add
    retry_after_s: int | None = None
    reason: str | None = None  # the scheduler's, where it refused

    def __init__(
        self, message: str = "", *, param: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message or self.says)
        self.message = message or self.says
        self.param = param
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class ConfigError(BaseloadError):
    status, type, code = 500, "internal_error", "config_error"
    retryable = False
    says = "The configuration cannot be used."
    problems: tuple[str, ...] = ()  # one by one, where it is about a whole file


class InternalError(BaseloadError):
    """``str()`` keeps the raiser's text for the log; ``message`` never shows it."""

    status, type, code = 500, "internal_error", "internal_error"
    retryable = False
    says = "Internal error."

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = self.says


class RequestError(BaseloadError):
    status, type, code = 400, "invalid_request_error", "invalid_request"
    retryable = False
    says = "The request cannot be served as it is."


class BadRequest(RequestError):
    code = "invalid_value"
    says = "The request has an invalid value."


class UnknownField(RequestError):
    code, says = "unknown_field", "The request has an unknown field."


class NoCompliantTarget(RequestError):
    status, type, code = 403, "permission_error", "no_compliant_target"
    says = "No target may have this request by the rules in force."


class OtherTenant(RequestError):
    status, type, code = 403, "permission_error", "other_tenant"
    says = "The tenant follows from the API key, and this header names another one."


class AdminsOnly(RequestError):
    status, type, code = 403, "permission_error", "admins_only"
    says = "This is for the keys of a tenant that is_admin."


class NoSuitableModel(RequestError):
    code, says = "no_suitable_model", "No model of this rule may answer."


class ContextTooLong(RequestError):
    code = "context_length_exceeded"
    says = "Prompt and answer together exceed the model's context."


class InvalidApiKey(RequestError):
    status, type, code = 401, "authentication_error", "invalid_api_key"
    says = "Send a valid API key as 'Authorization: Bearer <key>'."


class ModelNotFound(RequestError):
    status, code = 404, "model_not_found"
    says = "There is no such model. GET /v1/models lists those that exist."


class RouteNotFound(RequestError):
    status, code, says = 404, "not_found", "There is no such route."


class MethodNotAllowed(RequestError):
    status, code = 405, "method_not_allowed"
    says = "This route does not take this method."

    def __init__(self, message: str = "", *, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimeout(RequestError):
    status, code = 408, "request_timeout"
    retryable = True
    says = "The request body did not arrive in time."


class BodyTooLarge(RequestError):
    status, code = 413, "body_too_large"
    says = "The request body is too large."


class UnsupportedMediaType(RequestError):
    status, code = 415, "unsupported_media_type"
    says = "Send the body as 'Content-Type: application/json'."


class HeaderTooLarge(RequestError):
    status, code = 431, "header_too_large"
    says = "The request headers are too large."


class UpstreamRejected(RequestError):
    """A target's 4xx that is the request's own fault. Its 401, 402 or 403 is about our account
    there: raise NotStarted for those, or the caller would look for a fault in their own key."""

    code = "upstream_rejected"
    says = "The model server refused the request."

    def __init__(self, message: str = "", *, status: int = 400, param: str | None = None) -> None:
        if not 400 <= status <= 499:
            raise ValueError(f"a rejection has a status from 400 to 499, not {status}")
        super().__init__(message, param=param)
        self.status = status
        self.retryable = status in RETRIED_BY_CLIENTS


class ContentRefused(UpstreamRejected):
    code = "content_filter"
    says = "The model server refused what the request says."


class CapacityError(BaseloadError):
    status, type, code = 503, "overloaded", "overloaded"
    retryable = True
    says = "The service has no room for this request."
    retry_after_s: int | None = RETRY_AFTER_S


class QueueFull(CapacityError):
    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"
    says = "Too many requests are waiting. Try again later."


class TenantLimitReached(CapacityError):
    status, type, code = 429, "rate_limit_error", "tenant_limit_reached"
    says = "A limit of this tenant is reached. Try again later."


class SpillCapped(CapacityError):
    """Caps are on sliding windows, and local room comes back: unlike a quota, it is retryable."""

    status, type, code = 429, "rate_limit_error", "spill_capped"
    says = "There was no room in time, and a budget or a limit forbids to buy it. Try again later."


class VendorsLimited(CapacityError):
    status, type, code = 429, "rate_limit_error", "rate_limited_upstream"
    says = "Every provider that was asked has reached a rate limit of its own. Try again later."


class NoTarget(CapacityError):
    code = "no_ready_replica"
    says = "No replica or provider can serve this model at the moment."


class Draining(CapacityError):
    code = "draining"
    says = "This server is shutting down. Try again; another one will answer."


class LedgerUnavailable(CapacityError):
    code = "ledger_unavailable"
    says = "Usage cannot be recorded at the moment, so no work is started."


class QueueTimeout(CapacityError):
    status, type, code = 504, "timeout", "queue_timeout"
    retryable = False
    retry_after_s = None
    says = "The request waited as long as it may without being started."


class TargetError(BaseloadError):
    status, type, code = 502, "upstream_error", "upstream_error"
    retryable = False
    says = "The model server failed."


class UpstreamFailed(TargetError):
    """``outcome`` is what it means for the target, ``pause_s`` how long that asked to be left
    alone; None where it did not."""

    says = "The model server failed before it answered."

    def __init__(
        self,
        message: str = "",
        *,
        outcome: Outcome = Outcome.TARGET_FAILED,
        pause_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.pause_s = pause_s


class DeadlineExceeded(UpstreamFailed):
    status, code = 504, "deadline_exceeded"
    says = "The time of the request was up before its answer was complete."


class NotStarted(UpstreamFailed):
    code = "upstream_not_started"
    says = "The model server did not take the request."


class BadAnswer(UpstreamFailed):
    code = "bad_answer"
    says = "The model server's answer could not be used."


class OtherModel(BadAnswer):
    code, says = "other_model", "Another model answered than the one that was asked for."


class StreamBroken(TargetError):
    code = "incomplete_stream"
    says = "The model server ended the answer before it was complete."


class StreamStalled(TargetError):
    status, code = 504, "stream_stalled"
    says = "The model server stopped sending tokens."
