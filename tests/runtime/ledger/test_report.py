from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.report import report, requests
from runtime.ledger.rows import Ending
from tests.runtime.ledger.samples import opened, reserve, settle


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """a: failed locally, then bought. b: another tenant. c: open."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        await ledger.reserve(reserve("a", at_ms=3_000))
        void = {"outcome": "target_failed", "prompt_tokens": None, "completion_tokens": None}
        await ledger.settle(settle("a", ending=Ending.VOID, cost_nano_usd=0, **void))
        await ledger.reserve(reserve("a", attempt=2, target="offer:stand-in/tiny", at_ms=3_500))
        await ledger.settle(settle("a", attempt=2, cost_nano_usd=1_000_000_001))
        await ledger.reserve(reserve("b", tenant="零售", feature="search", at_ms=2_000))
        await ledger.settle(settle("b", cost_nano_usd=2))
        await ledger.reserve(reserve("c", at_ms=4_000))
    return path


def test_sums_per_tenant_feature_model_and_target(path: Path) -> None:
    found = report(path)
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


def test_requests_add_up_to_the_report(path: Path) -> None:
    found = requests(path)
    assert [(r.request_id, r.attempts, r.target, r.ending) for r in found] == [
        ("b", 1, "local:tiny-moe-0", "settle"),
        ("a", 2, "offer:stand-in/tiny", "settle"),
        ("c", 1, "local:tiny-moe-0", None),
    ]
    assert sum(r.cost_nano_usd for r in found) == report(path).total.cost_nano_usd
    assert sum(r.completion_tokens for r in found) == report(path).total.completion_tokens


def test_requests_can_be_narrowed(path: Path) -> None:
    assert [r.request_id for r in requests(path, since_ms=3_000)] == ["a", "c"]
    assert [r.request_id for r in requests(path, tenant="零售")] == ["b"]


def test_an_empty_ledger_has_a_report_that_is_json(tmp_path: Path) -> None:
    with opened(tmp_path / "ledger.db"):
        pass
    told = json.loads(report(tmp_path / "ledger.db").model_dump_json())
    assert told["lines"] == []
    assert (told["total"]["requests"], told["total"]["cost_usd"]) == (0, "0.00")


def test_no_ledger_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="there is no such file"):
        report(tmp_path / "none.db")
