"""The headers of answers that are ours, for the documents and for browsers' pages."""

from __future__ import annotations

from typing import NamedTuple

from runtime.request_limits import LIMITS


class AnswerHeader(NamedTuple):
    """``on`` says which answers have it."""

    on: str
    meaning: str


_MODELS = "answers of models"
_REGISTERED = "answers to users in a country whose rules want a registered model"
_LIMITED = "answers to a tenant with that limit, and refusals by it"
ANSWER_HEADERS = {
    "x-request-id": AnswerHeader(
        "every answer",
        "our id of the request: the one in the ledger, the log and error messages. It is never "
        "the caller's, which could come twice",
    ),
    "x-client-request-id": AnswerHeader(
        "every answer to a request that named itself", "the caller's own id of it"
    ),
    "x-baseload-target": AnswerHeader(
        _MODELS, "where it was served: local:<replica> or offer:<provider>/<model>"
    ),
    "x-baseload-reason": AnswerHeader(
        "answers of models, and refusals for lack of room", "why there, or why nowhere"
    ),
    "x-baseload-model": AnswerHeader(_MODELS, "the catalogue's name of the model"),
    "x-baseload-config": AnswerHeader(
        _MODELS,
        "the version of the configuration that it was served by, as in the ledger: a digest of "
        "its content, and how many this server has applied since it started",
    ),
    "x-baseload-held-ms": AnswerHeader(
        _MODELS, "how long the request waited for a decision, in ms"
    ),
    "x-baseload-ignored": AnswerHeader(
        "answers of models to requests of which something had no effect",
        "names of what was sent and had no effect, the first "
        f"{LIMITS.ignored_chars_max} characters: fields that were dropped, keywords of a schema "
        "that the answer is not held to (response_format.json_schema.schema.uniqueItems), and "
        "hints that the vendor did not get",
    ),
    "x-baseload-registered-model": AnswerHeader(
        _REGISTERED,
        "the name under which the model is filed, to be shown to the user; what is not ASCII is "
        "percent-encoded UTF-8",
    ),
    "x-baseload-registration": AnswerHeader(_REGISTERED, "the number that the authority gave"),
    "x-baseload-cost-usd": AnswerHeader(
        "answers of models that are not streamed",
        "what it cost. A stream says it at its end, in a comment (: baseload-cost-usd 0.0001) "
        "before [DONE], to whom asks with X-Baseload-Tell: cost",
    ),
    "x-ratelimit-limit-requests": AnswerHeader(
        _LIMITED, "the tenant's requests_per_min_max, as OpenAI names it"
    ),
    "x-ratelimit-remaining-requests": AnswerHeader(_LIMITED, "how many are left of it now"),
    "x-ratelimit-reset-requests": AnswerHeader(
        _LIMITED, "when all of them will be there again, such as 12s or 1m1s"
    ),
    "x-ratelimit-limit-tokens": AnswerHeader(_LIMITED, "the tenant's tokens_per_min_max"),
    "x-ratelimit-remaining-tokens": AnswerHeader(
        _LIMITED, "how many are left of it, this request counted as it is estimated"
    ),
    "x-ratelimit-reset-tokens": AnswerHeader(_LIMITED, "when all tokens will be there again"),
}
REFUSAL_HEADERS = {
    "retry-after": AnswerHeader("refusals", "when to try again, in seconds"),
    "x-should-retry": AnswerHeader("refusals", "false where trying again cannot help"),
}
