"""A state folder that cannot be written: the advice is about the reason, not always about space."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cluster.machine.ports import free_ports
from cluster.profile import LOCAL_PROFILE, load
from cluster.run.supervisor import preflight
from cluster.run.unwritable_folder import what_to_do
from cluster.state_folder import STATE_ENV
from runtime.errors import ConfigError


def refused(state: Path) -> str:
    profile = load(LOCAL_PROFILE)
    with pytest.raises(ConfigError) as told:
        preflight(profile.moved(*(lambda ports: (ports[0], ports[1:]))(free_ports(3))), state)
    return told.value.message


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for state in (tmp_path / "file", tmp_path / "file" / "sub"):
        told = refused(state)
        assert told.startswith(f"{state} cannot be written")
        assert "move it away" in told
        assert "space" not in told


def test_a_place_that_takes_no_folder() -> None:
    told = refused(Path("/proc/x"))
    assert told.endswith(f": set {STATE_ENV} to a folder that can be written")
    assert "space" not in told


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_only_a_full_disk_asks_for_space(number: int) -> None:
    assert "free some space" in what_to_do(OSError(number, os.strerror(number)))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO, errno.ELOOP])
def test_other_reasons_do_not(number: int) -> None:
    told = what_to_do(OSError(number, os.strerror(number)))
    assert "space" not in told
    assert f"set {STATE_ENV} to a folder that can be written" in told
