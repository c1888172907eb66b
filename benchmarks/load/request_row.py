"""What became of one request: the raw datum that every figure is made from."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ErrorKind(StrEnum):
    CONNECT = "connect"  # no answer at all
    TIMEOUT = "timeout"
    HTTP_429 = "http_429"
    HTTP_4XX = "http_4xx"  # any other
    HTTP_5XX = "http_5xx"
    BROKEN_STREAM = "broken_stream"  # begun, and not ended with [DONE]
    NO_USAGE = "no_usage"  # whole, but its tokens were not told
    UNFINISHED = "unfinished"  # given up once the run was over
    INTERRUPTED = "interrupted"  # by whoever stopped the run: no fault of the server's


WHOLE = ""  # the error of an answer that has none


@dataclass(frozen=True, slots=True)
class Row:
    """Times are seconds from the start of the run.

    ``scheduled_s`` is when it should have been sent, ``sent_s`` when it was. ``gaps_ms`` lie
    between events that carry tokens; an event may carry several.
    """

    number: int
    scheduled_s: float
    sent_s: float
    first_token_s: float | None
    last_token_s: float | None
    ended_s: float
    asked_prompt_tokens: int
    asked_output_tokens: int
    prompt_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    status: int  # of HTTP; 0: no answer
    error: str
    gaps_ms: array[float]
    gaps_lost: int = 0  # beyond what is kept of one answer
    target: str | None = None  # where a Baseload endpoint says it came from; None: it does not say
    cost_nano_usd: int | None = None  # what a Baseload endpoint says it was billed
    events: int = 0  # that came, of those that its stream counts
    headers: Mapping[str, str] = field(default_factory=dict)  # those that its endpoint keeps
