from __future__ import annotations

import json

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.rows import Ending
from runtime.ledger.usage_report import Rent, report, requests
from runtime.replica_time_share import HOUR_NS, share_cost_nano, share_in_words
from tests.runtime.ledger.samples import opened, reserve, settle


@pytest.fixture
async def full(url: str) -> str:
    """a: failed locally, then bought. b: another tenant. c: open."""
    with opened(url) as ledger:
        await ledger.reserve(reserve("a", at_ms=3_000))
        void = {"outcome": "target_failed", "prompt_tokens": None, "completion_tokens": None}
        await ledger.settle(settle("a", ending=Ending.VOID, cost_nano_usd=0, **void))
        await ledger.reserve(reserve("a", attempt=2, target="offer:stand-in/tiny", at_ms=3_500))
        await ledger.settle(settle("a", attempt=2, cost_nano_usd=1_000_000_001))
        await ledger.reserve(reserve("b", tenant="零售", feature="search", at_ms=2_000))
        await ledger.settle(settle("b", cost_nano_usd=2))
        await ledger.reserve(reserve("c", at_ms=4_000))
    return url


def test_sums_per_tenant_feature_model_and_target(full: str) -> None:
    found = report(full)
    total = found.total
    assert (total.requests, total.attempts, total.open_attempts) == (3, 4, 1)
    assert (total.prompt_tokens, total.cached_tokens, total.completion_tokens) == (236, 48, 80)
    assert (total.cost_nano_usd, total.cost_usd) == (1_000_000_003, "1.000000003")
    assert {name: s.cost_nano_usd for name, s in found.by_tenant.items()} == {
        "acme": 1_000_000_001,
        "零售": 2,
    }
    assert {name: s.requests for name, s in found.by_feature.items()} == {"chat": 2, "search": 1}
    assert {name: s.attempts for name, s in found.by_model.items()} == {"tiny-moe": 4}
    assert {name: s.requests for name, s in found.by_target.items()} == {
        "local:tiny-moe-0": 3,
        "offer:stand-in/tiny": 1,
    }
    lines = [(line.tenant, line.feature, line.target, line.attempts) for line in found.lines]
    assert lines == [
        ("acme", "chat", "local:tiny-moe-0", 2),
        ("acme", "chat", "offer:stand-in/tiny", 1),
        ("零售", "search", "local:tiny-moe-0", 1),
    ]
    assert sum(line.cost_nano_usd for line in found.lines) == total.cost_nano_usd


def test_requests_add_up_to_the_report(full: str) -> None:
    found = requests(full)
    assert [(r.request_id, r.attempts, r.target, r.ending) for r in found] == [
        ("b", 1, "local:tiny-moe-0", "settle"),
        ("a", 2, "offer:stand-in/tiny", "settle"),
        ("c", 1, "local:tiny-moe-0", None),
    ]
    assert sum(r.cost_nano_usd for r in found) == report(full).total.cost_nano_usd
    assert sum(r.completion_tokens for r in found) == report(full).total.completion_tokens


def test_requests_can_be_narrowed(full: str) -> None:
    assert [r.request_id for r in requests(full, since_ms=3_000)] == ["a", "c"]
    assert [r.request_id for r in requests(full, tenant="零售")] == ["b"]


def test_an_empty_ledger_has_a_report_that_is_json(url: str) -> None:
    with opened(url):
        pass
    told = json.loads(report(url).model_dump_json())
    assert told["lines"] == []
    assert (told["total"]["requests"], told["total"]["cost_usd"]) == (0, "0.00")


def test_no_ledger_is_one_clear_line(url: str) -> None:
    with pytest.raises(LedgerUnavailable, match="there is no such file"):
        report(url)


async def _busy(url: str, hours: float, share_ns: int, target: str = "local:r1") -> None:
    """One request, and the last ending so many hours later."""
    cost = share_cost_nano(share_ns, 50_000_000, 2)
    said = share_in_words(share_ns, "H200", 50_000_000, 2)
    with opened(url) as ledger:
        await ledger.reserve(reserve(f"first {target}", target=target, at_ms=1_000))
        at_ms = 1_000 + round(hours * 3_600_000)
        await ledger.settle(
            settle(f"first {target}", at_ms=at_ms, cost_nano_usd=cost, derivation=said)
        )


async def test_the_report_says_that_idle_time_is_not_in_it(url: str) -> None:
    """0.88 hours of two cards at 0.05 USD, of which requests took 12.7 %."""
    await _busy(url, 0.88, round(0.88 * 0.127 * HOUR_NS))
    told = report(url)
    assert told.rent == Rent(
        replicas=1,
        cost_nano_usd=88_000_000,
        billed_nano_usd=told.total.cost_nano_usd,
        billed_share=told.total.cost_nano_usd / 88_000_000,
    )
    assert told.rent.billed_share == pytest.approx(0.127)
    (idle,) = told.not_included
    assert "had no request" in idle
    assert "0.011176 USD, 12.7% of the 0.088 USD that the cards of 1 replicas" in idle
    await _busy(url, 0.12, 0, "local:r2")
    assert report(url).rent.cost_nano_usd == 100_000_000
    assert json.loads(report(url).model_dump_json())["not_included"] == report(url).not_included


async def test_what_is_open_or_in_doubt_is_not_in_the_report_either(url: str) -> None:
    with opened(url) as ledger:
        for name in "abc":
            await ledger.reserve(reserve(name, target="offer:x/y", bound_nano_usd=7_000_000))
        await ledger.settle(settle("b", ending=Ending.EXPIRE, cost_nano_usd=0))
        for name, source in (("d", "estimate"), ("e", "none"), ("f", "target"), ("g", "limit")):
            await ledger.reserve(reserve(name, target="offer:x/y", bound_nano_usd=7_000_000))
            facts = {"cost_nano_usd": 2_000_000, "usage_source": source}
            await ledger.settle(settle(name, **facts))
        await ledger.reserve(reserve("h", bound_nano_usd=None))  # a replica's time is measured
        await ledger.settle(settle("h", cost_nano_usd=0, usage_source="estimate"))
    *_, under_way, died, estimated = report(url).not_included
    assert [under_way, died, estimated] == [
        "2 attempts under way, which are billed when they end: purchases among them cost up to "
        "0.014 USD",
        "1 attempts whose gateway died, in doubt: purchases among them cost up to 0.007 USD",
        "2 attempts whose vendor told no tokens, beyond the estimate that is billed: purchases "
        "among them cost up to 0.01 USD",
    ]


async def test_a_replica_that_was_never_billed_has_no_rent_here(url: str) -> None:
    with opened(url) as ledger:
        await ledger.reserve(reserve("a", at_ms=1_000))
        await ledger.settle(settle("a", ending=Ending.VOID, cost_nano_usd=0, at_ms=9_000))
    assert report(url).rent == Rent(
        replicas=0, cost_nano_usd=0, billed_nano_usd=0, billed_share=None
    )
    assert report(url).not_included == []
