"""What a start prints: each place once, as it really is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cluster.cli.ready_message import welcome
from cluster.profile import LOCAL_PROFILE, load

PROFILE = load(LOCAL_PROFILE)
METRICS = "http://127.0.0.1:31083/metrics"


def test_the_metrics_are_where_the_scheduler_says(tmp_path: Path) -> None:
    lines = list(welcome(PROFILE, tmp_path, {"ready": True, "metrics": METRICS}))
    assert [line.split()[0] for line in lines] == ["address", "API", "docs", "metrics", "try"]
    assert f"metrics   {METRICS}" in lines
    assert (tmp_path / "api-key").read_text().strip() in lines[-1]


def test_no_metrics_are_promised_where_there_are_none(tmp_path: Path) -> None:
    lines = welcome(PROFILE, tmp_path, {"ready": True})
    assert [line.split()[0] for line in lines] == ["address", "API", "docs", "try"]


def test_without_a_local_key_none_is_made_or_shown(tmp_path: Path) -> None:
    args = PROFILE.args.model_copy(update={"local_key": False})
    lines = list(welcome(dataclasses.replace(PROFILE, args=args), tmp_path, {"metrics": METRICS}))
    assert [line.split()[0] for line in lines] == ["address", "docs", "metrics"]
    assert list(tmp_path.iterdir()) == []
