"""A refusal for the law's sake leaves its evidence in the ledger, before its caller is told.

It has the two rows of an attempt, at no target, that ends as it begins. Other refusals are no
decisions about where data may go, and under load there are very many of them: they have no rows.
"""

from __future__ import annotations

from runtime.billed_tokens import NOTHING
from runtime.errors import NoCompliantTarget
from runtime.gateway import Gateway
from runtime.ledger.rows import NO_TARGET, Ending, Reserve, Settle
from runtime.request.request_record import RequestRecord

REFUSED = "refused"


async def record_refusal(gateway: Gateway, record: RequestRecord, error: NoCompliantTarget) -> None:
    """Durable on return. LedgerUnavailable where it cannot be: the caller is told that instead."""
    now_ms = gateway.clock.unix_ms()
    intent = _intent(gateway, record, error, now_ms)
    await gateway.ledger.refuse(intent, _ending(record, error, now_ms))


def _intent(
    gateway: Gateway, record: RequestRecord, error: NoCompliantTarget, now_ms: int
) -> Reserve:
    return Reserve(
        request_id=record.request_id,
        attempt=record.attempts + 1,
        owner=gateway.ledger.owner,
        at_ms=now_ms,
        tenant=record.tenant or "",
        feature=record.feature or "",
        task=record.task or "",
        model=record.model or "",
        target=NO_TARGET,
        reason=error.code,
        price_id="",
        prompt_tokens_est=0,
        output_tokens_max=0,
        bound_nano_usd=0,
        evidence=record.evidence.text() if record.evidence else None,
    )


def _ending(record: RequestRecord, error: NoCompliantTarget, now_ms: int) -> Settle:
    return Settle(
        request_id=record.request_id,
        attempt=record.attempts + 1,
        at_ms=now_ms,
        ending=Ending.VOID,
        outcome=f"{REFUSED}: {error.code}",
        prompt_tokens=NOTHING.prompt_tokens,
        cached_tokens=NOTHING.cached_tokens,
        completion_tokens=NOTHING.completion_tokens,
        cost_nano_usd=0,
        usage_source=NOTHING.source.value,
        derivation="no work",
        held_ms=0,
        ttft_ms=None,
        e2e_ms=0,
    )
