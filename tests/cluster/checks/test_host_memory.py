"""Engines on CPUs against the memory and the cores of one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.application_args import PoolArgs
from cluster.checks.gpu_memory import memory_findings
from cluster.checks.host_memory import host_findings
from cluster.checks.resolve_pools import Known, ResolvedPool, resolve_parts
from cluster.config_finding import ConfigFinding, Severity, warning
from cluster.machine.host import Host
from runtime.config_problems import where

KNOWN = Known.load()
GIB = 1 << 30
HOST = Host(24 * GIB, 20 * GIB, 2, 0.5)


def pool(replicas: int = 1, **fields: Any) -> ResolvedPool:
    told = {"model": "tiny-moe", "card": "cpu", "replicas": replicas, **fields}
    found = resolve_parts({0: PoolArgs.model_validate(told)}, None, KNOWN, Path("/s"), ())
    return found.pools[0]


def found(replicas: int, kv_blocks: int | None = None, **more: Any) -> list[ConfigFinding]:
    engine = {} if kv_blocks is None else {"kv_blocks": kv_blocks}
    return [*host_findings([pool(replicas, engine=engine)], HOST, **more)]


def test_what_fits_has_nothing_said_of_it() -> None:
    assert found(2, 1024) == []
    assert found(8) == []


def test_a_cache_beyond_the_memory_is_refused_at_its_field() -> None:
    (one,) = found(1, 1_000_000_000)
    assert one.is_error
    assert where(one.problem.path) == "pools[0].engine.kv_blocks"
    assert one.problem.instead == "less than 393216"  # 24 GiB of 128 tokens of 512 bytes
    assert found(1, 393_000) != []  # and nothing is left for the engine itself
    assert [each.severity for each in found(1, 393_000)] == [Severity.WARNING]


def test_many_engines_are_refused_unless_machines_may_join() -> None:
    told = found(1_000)
    assert [each.severity for each in told] == [Severity.ERROR, Severity.WARNING]
    assert "1000 engines load on 2 cores" in str(told[1])
    assert [each.is_error for each in found(1_000, tell=warning)] == [False, False]


def test_caches_that_fill_up_together_are_a_warning() -> None:
    (one,) = found(4, 150_000)
    assert not one.is_error
    assert "once their caches are full" in str(one)


@pytest.mark.parametrize(
    ("blocks", "severity"),
    [(1_000, None), (8_000, Severity.WARNING), (1_000_000_000, Severity.ERROR)],
)
def test_blocks_beyond_a_card(blocks: int, severity: Severity | None) -> None:
    wanted = pool(
        model="qwen3-32b", card="h20", checkpoint="/none/here", engine={"kv_blocks": blocks}
    )
    told = [each.severity for each in memory_findings(wanted)]
    assert told == ([] if severity is None else [severity])
