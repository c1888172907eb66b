"""Who is alive, by leases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.replica_leases import LEASE_S, RENEW_S, Leases, Listing, Registration
from scheduler.replica import EngineLimits, Replica


def entry(replica_id: str = "a", generation: int = 1) -> Registration:
    replica = Replica(replica_id, "m", generation, EngineLimits(100, 100, 8, 100))
    return Registration(replica, "http://h:1/v1", "s3cret")


A = entry()


def _names(leases: Leases) -> list[str]:
    return [each.replica_id for each in leases.entries()]


def test_a_renewal_keeps_and_a_silence_forgets() -> None:
    leases = Leases()
    leases.renew(A, 0.0)
    leases.renew(A, 5.0)
    leases.expire(5.0 + LEASE_S)
    assert _names(leases) == ["a"]
    leases.expire(5.1 + LEASE_S)
    assert _names(leases) == []


def test_two_renewals_may_be_lost() -> None:
    assert LEASE_S >= 3 * RENEW_S


def test_only_a_change_of_membership_is_a_new_version() -> None:
    leases = Leases()
    leases.renew(A, 0.0)
    version = leases.version
    leases.renew(A, 1.0)
    leases.expire(1.0)
    leases.leave("unknown")
    assert leases.version == version
    leases.renew(entry(generation=2), 2.0)
    assert leases.version == version + 1
    leases.leave("a")
    assert leases.version == version + 2


def test_the_number_of_replicas_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.replica_leases.REPLICAS_MAX", 2)
    leases = Leases()
    leases.renew(A, 0.0)
    leases.renew(entry(replica_id="b"), 0.0)
    with pytest.raises(ValueError, match="more than 2 replicas"):
        leases.renew(entry(replica_id="c"), 0.0)
    leases.renew(A, 1.0)


def test_the_token_stays_out_of_logs() -> None:
    assert "s3cret" not in repr(A)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 5)), max_size=40))
def test_alive_is_who_renewed_within_the_lease(steps: list[tuple[str, bool, float]]) -> None:
    leases, now, until_s = Leases(), 0.0, dict[str, float]()
    for name, renews, elapsed_s in steps:
        now += elapsed_s
        if renews:
            leases.renew(entry(replica_id=name), now)
            until_s[name] = now + LEASE_S
        else:
            leases.leave(name)
            until_s.pop(name, None)
        leases.expire(now)
        until_s = {each: until for each, until in until_s.items() if until >= now}
        assert sorted(_names(leases)) == sorted(until_s)


def test_a_list_that_may_lack_some_takes_nobody_away() -> None:
    b, newer = entry(replica_id="b"), entry(generation=2)
    known = {"a": A, "b": b}
    assert Listing((1, 1, False), (newer,), complete=False).onto(known) == {"a": newer, "b": b}
    assert Listing((1, 2, True), (newer,), complete=True).onto(known) == {"a": newer}
    assert Listing((1, 0, False), (), complete=False).onto({}) == {}
