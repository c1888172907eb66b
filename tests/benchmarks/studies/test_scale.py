"""A decision costs the same however many replicas there are and however many wait."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.studies.scale import Pool, cpu_us_per_decision, main, memory_mib


def test_a_decision_among_many_costs_little_more_than_among_few() -> None:
    few = min(cpu_us_per_decision(10, 0, 1_000) for _ in range(2))
    many = min(cpu_us_per_decision(300, 3_000, 1_000) for _ in range(2))
    assert many <= 3 * few


def test_a_filled_pool_is_full_and_keeps_its_queue() -> None:
    pool = Pool(4)
    pool.fill(100)
    for _ in range(200):
        pool.turn(0.001)
    seen = pool.scheduler.snapshot(pool.now)
    assert seen.queue_requests >= 100
    assert sum(view.in_flight for view in seen.replicas) == sum(map(len, pool.running)) > 200


def test_memory_is_looked_at_on_the_way() -> None:
    looks = memory_mib(2_000, looks=4)
    assert len(looks) == 5
    assert max(looks) - looks[1] < 20


def test_the_command_writes_what_it_measured(tmp_path: Path) -> None:
    out = tmp_path / "scale.json"
    sizes = ["--replicas", "2", "4", "--queued", "20", "--decisions", "5"]
    assert main([*sizes, "--out", str(out)]) == 0
    cells = json.loads(out.read_text())["cpu_us_per_decision"]
    assert [(cell["replicas"], cell["queued"]) for cell in cells] == [(2, 0), (2, 20), (4, 20)]
    assert all(cell["cpu_us"] > 0 for cell in cells)
