"""One request as the ledger has it: every attempt with its evidence, its ending and its cost."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from models.money import NanoUsd, format_usd
from runtime.ledger.hash_chain import LedgerEntry
from runtime.ledger.open_store import open_store
from runtime.ledger.rows import NO_TARGET


class AttemptStory(BaseModel):
    """A reserve beside its ending, whose facts are None while the attempt is under way."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    is_refusal: bool  # it was sent to no target
    entries: list[int]  # their numbers in the ledger
    owner: str  # boot id of the gateway
    reserved_at_ms: int  # unix time
    model: str  # that was asked to answer
    target: str
    reason: str
    price_id: str
    prompt_tokens_est: int
    output_tokens_max: int
    bound_nano_usd: NanoUsd | None
    evidence: dict[str, Any] | None  # None: written by a version that kept none
    ending: str | None
    ended_at_ms: int | None
    outcome: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_nano_usd: NanoUsd | None
    usage_source: str | None
    derivation: str | None
    held_ms: int | None
    ttft_ms: int | None
    e2e_ms: int | None


class RequestStory(BaseModel):
    """Its attempts are in the order in which they were made."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    tenant: str
    feature: str
    task: str
    model: str
    cost_nano_usd: NanoUsd
    cost_usd: str  # the same amount, exact
    attempts: list[AttemptStory]


def story(url: str | Path, request_id: str) -> RequestStory | None:
    """None where the ledger has no such request."""
    with open_store(url).reading() as reading:
        entries = reading.entries_of(request_id)
    if not entries:
        return None
    attempts = [
        _attempt(list(found)) for _, found in groupby(entries, key=lambda each: each.attempt)
    ]
    cost_nano = sum(each.cost_nano_usd or 0 for each in attempts)
    asked = entries[0]
    return RequestStory(
        request_id=request_id,
        tenant=asked.tenant or "",
        feature=asked.feature or "",
        task=asked.task or "",
        model=asked.model or "",
        cost_nano_usd=cost_nano,
        cost_usd=format_usd(cost_nano),
        attempts=attempts,
    )


_OF_INTENT = (
    "attempt owner model target reason price_id prompt_tokens_est output_tokens_max bound_nano_usd"
).split()
_OF_ENDING = (
    "outcome prompt_tokens cached_tokens completion_tokens cost_nano_usd usage_source derivation "
    "held_ms ttft_ms e2e_ms"
).split()


def _attempt(entries: list[LedgerEntry]) -> AttemptStory:
    """The reserve stands before its ending."""
    intent, ending = entries[0], entries[-1] if len(entries) > 1 else None
    facts = {name: getattr(intent, name) for name in _OF_INTENT}
    facts |= {name: getattr(ending, name, None) for name in _OF_ENDING}
    return AttemptStory(
        entries=[each.seq for each in entries],
        is_refusal=intent.target == NO_TARGET,
        reserved_at_ms=intent.at_ms,
        evidence=None if intent.evidence is None else json.loads(intent.evidence),
        ending=None if ending is None else ending.kind,
        ended_at_ms=None if ending is None else ending.at_ms,
        **facts,
    )
