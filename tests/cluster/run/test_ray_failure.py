"""A Ray that does not start: its own words, and what to do where they do not say it."""

from __future__ import annotations

import pytest

from cluster.machine.host import Host
from cluster.run.ray_failure import in_words
from runtime.errors import ConfigError

GIB = 1 << 30
RAY_SAYS = (
    "The current node timed out during startup. This could happen because some of the raylet "
    "failed to startup or the GCS has become overloaded."
)


def host(load: float, cores: int = 2) -> Host:
    return Host(24 * GIB, 20 * GIB, cores, load)


def test_a_busy_machine_is_told_with_its_load() -> None:
    told = in_words(Exception(RAY_SAYS), host(19.4))
    assert told.startswith("Ray did not start: Exception: The current node timed out")
    assert "2 cores and a load of 19.4" in told
    assert "try again when it is less busy" in told
    assert "\n" not in told


def test_on_an_idle_machine_it_is_something_else() -> None:
    told = in_words(Exception(RAY_SAYS), host(0.3, cores=1))
    assert "1 core and a load of 0.3" in told
    assert "less busy" not in told
    assert "baseload doctor" in told


@pytest.mark.parametrize("error", [ValueError("no such thing"), ConfigError("no such thing")])
def test_any_other_reason_is_left_as_it_is(error: Exception) -> None:
    told = in_words(error, host(19.4))
    assert told == f"Ray did not start: {type(error).__name__}: no such thing"
