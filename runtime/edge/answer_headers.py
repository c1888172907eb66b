"""The headers of a model's answer that are ours, for the documents and for browsers' pages."""

from __future__ import annotations

ANSWER_HEADERS = {
    "x-request-id": "our id of the request, as in the ledger and the log",
    "x-client-request-id": "the caller's own id of it",
    "x-baseload-target": "where it was served: local:<replica> or offer:<provider>/<model>",
    "x-baseload-reason": "why there",
    "x-baseload-model": "the model's name here",
    "x-baseload-held-ms": "how long it waited for a decision, in ms",
    "x-baseload-ignored": "names of what was sent and had no effect",
    "x-baseload-cost-usd": "what it cost, where the answer is not streamed",
}
