"""Rows for tests: everything has a plausible value, a test names what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.ledger.ledger import Ledger
from runtime.ledger.rows import Ending, Reserve, Settle

_RESERVE = Reserve(
    request_id="r",
    attempt=1,
    owner="boot-1",
    at_ms=1_750_000_000_000,
    tenant="acme",
    feature="chat",
    task="summarize",
    model="tiny-moe",
    target="local:tiny-moe-0",
    reason="local_fit",
    price_id="card cpu@2025-06-01",
    prompt_tokens_est=120,
    output_tokens_max=256,
    bound_nano_usd=10**6,
)
_SETTLE = Settle(
    request_id="r",
    attempt=1,
    at_ms=1_750_000_000_900,
    ending=Ending.SETTLE,
    outcome="ok",
    prompt_tokens=118,
    cached_tokens=16,
    completion_tokens=40,
    cost_nano_usd=1_234,
    usage_source="target",
    derivation="card cpu 50000000 nano-USD/h x 0.0888 s share",
    held_ms=12,
    ttft_ms=80,
    e2e_ms=900,
)


def reserve(request_id: str, **facts: Any) -> Reserve:
    return replace(_RESERVE, request_id=request_id, **facts)


def settle(request_id: str, **facts: Any) -> Settle:
    return replace(_SETTLE, request_id=request_id, **facts)


@contextmanager
def opened(url: str | Path, owner: str = "boot-1") -> Iterator[Ledger]:
    ledger = Ledger.open(url, owner=owner)
    try:
        yield ledger
    finally:
        ledger.close()
