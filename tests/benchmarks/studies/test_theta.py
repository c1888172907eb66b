from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.studies.theta import CARDS, REPLAY_SHARE, StackBench, card_usd

TRACE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:00:00.0000000,400,100
2023-11-16 18:00:02.0000000,800,300
"""


def test_the_replay_asks_for_a_share_of_theta(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text(TRACE)
    asked: list[tuple[str, float, tuple[str, ...]]] = []

    def remember(self: StackBench, name: str, rate_per_s: float, *more: str) -> dict[str, Any]:
        asked.append((name, rate_per_s, more))
        return {}

    monkeypatch.setattr(StackBench, "_play", remember)
    StackBench("http://x/v1", "key", trace, tmp_path, 5.0, 1).replay(1_000.0)
    ((name, rate_per_s, more),) = asked
    mean_output_tokens = (25 + 75) / 2  # a quarter of the trace's
    assert rate_per_s * mean_output_tokens == pytest.approx(REPLAY_SHARE * CARDS * 1_000)
    assert (name, more) == ("replay", ("--theta", str(tmp_path / "sweep" / "bench.json")))


def test_the_card_has_a_price() -> None:
    assert card_usd() > 0
