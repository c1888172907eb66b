"""Results as they might have been measured."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers.baseload_alone import BASELOAD
from benchmarks.peers.overload import Bill, Outcome
from benchmarks.peers.side_by_side import DIRECT, FIGURES, Against, Row
from benchmarks.peers.verdicts import PeerVerdict

ORIGIN: dict[str, Any] = {
    "date": "2026-01-02T03:04:05+00:00",
    "machine": {"cpu": "A | CPU", "cores": 2, "memory_gib": 4.0, "system": "Linux 1"},
    "versions": {"python": "3.11.0", "ray": "2.0"},
}


def peers() -> dict[str, Any]:
    """Baseload and one peer; another could not be installed."""
    against = Against(100.0, 90.0, 0.9, 0.8, 1.0)
    rows = [
        asdict(Row(way, 32, 2, dict.fromkeys(FIGURES, against), 21.4, 0.1, 0, None))
        for way in (BASELOAD, "litellm")
    ]
    ends = [
        Outcome(
            way=way,
            capacity_per_s=15.25,
            asks=200,
            in_time=in_time,
            late=0,
            refused=0,
            lost=200 - in_time,
            statuses={200: in_time},
            ttft_ms_p50=10.0,
            ttft_ms_p99=None,
            bought=Bill(5),
            bought_nano_usd=10**9,
            cards_nano_usd=10**9,
            misses_nano_usd=10**9,
        )
        for way, in_time in ((BASELOAD, 200), (DIRECT, 50))
    ]
    return {
        "verdicts": [
            asdict(PeerVerdict("as fast", 0.95, 0.914, 1.006, 0.9, True)),
            asdict(PeerVerdict("all answered", 1.0, None, None, 1, True)),
            asdict(PeerVerdict("more", None, None, None, 1, None)),
        ],
        "skipped": {"smg": "no wheel"},
        "failures": [],
        "peers": {"litellm": {"title": "LiteLLM proxy", "version": "1.2"}},
        "method": {
            "answer_tokens": 64,
            "overload_times_capacity": 3.0,
            "overload_budget_ms": 3000,
            "effort": {"overload_s": 60.0},
        },
        "engines": rows,
        "scripted": rows,
        "overload": [
            asdict(each) | {"attainment": each.attainment, "in_time_per_usd": each.in_time_per_usd}
            for each in ends
        ],
    } | ORIGIN


def keep(folder: Path, name: str, document: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
