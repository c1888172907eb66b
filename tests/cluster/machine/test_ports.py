"""Ports that are free, and ranges of them that belong to one run."""

from __future__ import annotations

import socket

import pytest

from cluster.machine import ports
from cluster.machine.ports import claim_range, free_ports, port_is_free
from runtime.errors import ConfigError


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> int:
    """Of three ranges that this test has for itself, as far as any machine allows."""
    monkeypatch.setattr(ports, "RUNS", 3)
    monkeypatch.setattr(ports, "FIRST", 30_500)
    return 30_500


def test_free_ports_are_free_and_distinct() -> None:
    found = free_ports(5)
    assert len(set(found)) == 5
    assert all(port_is_free("127.0.0.1", port) for port in found)


def test_ranges_lie_below_the_ports_that_the_system_gives_out() -> None:
    last = ports.FIRST + ports.PER_RUN * ports.RUNS - 1
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        given_out_from = int(file.read().split()[0])
    assert 1_024 < ports.FIRST < last < ports.ANY[0] < ports.ANY[-1] < given_out_from
    assert all(port in ports.ANY for port in free_ports(20))


def test_too_few_free_ports_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "ANY", range(30_400, 30_402))
    assert sorted(free_ports(2)) == [30_400, 30_401]
    with pytest.raises(ConfigError, match="fewer than 3 ports from 30400 to 30401 are free"):
        free_ports(3)


def test_a_range_is_held_until_it_is_closed(first: int) -> None:
    one, two = claim_range(7), claim_range(7)
    try:
        assert one.first == first + 100  # 7 modulo 3
        assert two.first == first + 200
        assert not set(one.for_replicas) & set(two.for_replicas)
    finally:
        one.close()
        two.close()
    again = claim_range(7)
    assert again.first == one.first
    again.close()


def test_single_ports_are_apart_from_those_of_replicas_and_from_the_claim(first: int) -> None:
    held = claim_range(0)
    singles = held.single(6)
    assert not set(singles) & set(held.for_replicas)
    assert max(singles) < first + ports.PER_RUN - 1
    assert all(port_is_free("127.0.0.1", port) for port in singles)
    assert not port_is_free("127.0.0.1", first + ports.PER_RUN - 1)
    held.close()


def test_a_range_that_anybody_else_uses_is_passed_over(first: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", first + ports.REPLICA_PORTS + 3))
        other.listen()
        held = claim_range(0)
        assert held.first == first + 100
        held.close()


def test_more_runs_than_ranges_are_refused(first: int) -> None:
    held = [claim_range(0) for _ in range(3)]
    with pytest.raises(ConfigError, match="no free range of 100 ports from 30500 to 30799"):
        claim_range(0)
    for each in held:
        each.close()
