"""A tenant's limits at the edge: who is let in, and what is told of it in OpenAI's headers."""

from __future__ import annotations

from math import ceil
from typing import Any

from starlette.requests import Request

from runtime.edge.edge_context import RECORD, SEND, Edge
from runtime.errors import TenantLimitReached
from runtime.request.job import Job
from runtime.request.request_record import RequestRecord
from runtime.request_limits import refusals
from scheduler.tenant_limits import Counted, Limit, LimitStanding, Over, TenantLimits

_SAYS = {
    Limit.REQUESTS: "This tenant may send {most} requests per minute.",
    Limit.TOKENS: "This tenant may take {most} tokens per minute.",
    Limit.IN_FLIGHT: "This tenant may have {most} requests under way at once.",
}
_TOO_LARGE = "Prompt and answer of this request alone have about {tokens}."
_TOLD = {Limit.REQUESTS: "requests", Limit.TOKENS: "tokens"}


class Share:
    """What a request counts of its tenant's limits; its record ends it."""

    def __init__(self, edge: Edge, tenant: str, limits: TenantLimits, scope: Any) -> None:
        now = edge.clock.monotonic_s()
        found = edge.tenant_limiter.enter(tenant, limits, now)
        self._edge, self._limits, self._told = edge, limits, scope[SEND].told
        if isinstance(found, Over):
            self._told += _headers(edge.tenant_limiter.standings(tenant, limits, now))
            raise _refused(found, limits)
        self._counted: Counted = found
        record: RequestRecord = scope[RECORD]
        record.counted = found

    def charge(self, job: Job) -> None:
        """The tokens of the request, as they are estimated."""
        now = self._edge.clock.monotonic_s()
        prompt, output = job.arrival.prompt_tokens, job.arrival.output_tokens
        over = self._counted.charge(prompt, output, now)
        self._told += _headers(self._counted.standings(now))
        if over is not None:
            raise _refused(over, self._limits, prompt + output)


def let_in(edge: Edge, tenant: str, request: Request) -> Share | None:
    """None for a tenant without limits. TenantLimitReached before anything of the body is read."""
    limits = edge.gateway.config.tenant_limits(tenant)
    return None if limits is None else Share(edge, tenant, limits, request.scope)


def _refused(over: Over, limits: TenantLimits, tokens: int = 0) -> TenantLimitReached:
    refusals[f"tenants.{over.limit}"] += 1
    says = _SAYS[over.limit].format(most=getattr(limits, over.limit))
    if over.is_too_large:
        error = TenantLimitReached(f"{says} {_TOO_LARGE.format(tokens=tokens)}")
        error.retryable, error.retry_after_s = False, None
        return error
    if over.wait_s is None:
        return TenantLimitReached(f"{says} Try again when one of them has ended.")
    wait_s = max(1, ceil(over.wait_s))
    return TenantLimitReached(f"{says} Try again in {wait_s} s.", retry_after_s=wait_s)


def _headers(standings: dict[Limit, LimitStanding]) -> list[tuple[bytes, bytes]]:
    told = []
    for limit, standing in standings.items():
        name = _TOLD[limit]
        told += [
            (f"x-ratelimit-limit-{name}".encode(), str(standing.most).encode()),
            (f"x-ratelimit-remaining-{name}".encode(), str(standing.left).encode()),
            (f"x-ratelimit-reset-{name}".encode(), _duration(standing.reset_s).encode()),
        ]
    return told


def _duration(seconds: float) -> str:
    """As OpenAI writes one: 12s, 1m1s."""
    minutes, rest = divmod(ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
