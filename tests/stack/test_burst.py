"""Overload: what does not fit is held or bought, and the bill agrees to the last unit."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp

from tests.stack.running import Stack

REQUESTS = 200

# What a request may be told of its place. A starved machine may also miss a replica's reports for
# a while, or find one silent: what waited for it is bought, or tried again on the other.
PLACES = {
    ("local", "local_fit"),
    ("local", "held"),
    ("local", "retry"),
    ("offer", "spill_latency"),
    ("offer", "spill_price"),
    ("offer", "spill_no_replica"),
    ("offer", "retry"),
}


async def ask(session: aiohttp.ClientSession, stack: Stack, number: int) -> tuple[str, str, bool]:
    body = {
        "model": "tiny-moe",
        "messages": [{"role": "user", "content": f"Story number {number}, please"}],
        "max_tokens": 64,
        "ignore_eos": True,
        "stream": True,
    }
    headers = {"authorization": f"Bearer {stack.key}"}
    url = f"{stack.url}/v1/chat/completions"
    async with session.post(url, json=body, headers=headers) as answer:
        text = await answer.read()
        assert answer.status == 200, text
        target, reason = answer.headers["x-baseload-target"], answer.headers["x-baseload-reason"]
        return target, reason, text.endswith(b"data: [DONE]\n\n")


async def test_a_burst_at_three_times_capacity_loses_nothing(audited: Stack) -> None:
    before = audited.command("ledger", "report")["total"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(ask(session, audited, n) for n in range(REQUESTS)))
    assert all(done for _, _, done in answers)
    reasons = Counter(reason for _, reason, _ in answers)
    assert reasons["held"] > 0
    assert reasons["spill_latency"] > 0
    places = Counter((target.partition(":")[0], reason) for target, reason, _ in answers)
    assert set(places) <= PLACES, places

    report = audited.command("ledger", "report")
    costs = audited.command("ledger", "requests")
    assert report["total"]["requests"] - before["requests"] == REQUESTS
    assert sum(cost["cost_nano_usd"] for cost in costs) == report["total"]["cost_nano_usd"]
    audit = audited.command("ledger", "audit")
    assert audit["total_nano_usd"] == report["total"]["cost_nano_usd"]
    for sums in (audit["by_tenant"], audit["by_model"], audit["by_target"]):
        assert sum(sums.values()) == audit["total_nano_usd"]
    bought = [cost for cost in costs if cost["target"].startswith("offer:")]
    assert all("price stand-in/tiny-moe" in cost["derivation"] for cost in bought)
