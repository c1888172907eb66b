from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.ledger import Ledger
from runtime.ledger.owners import Owners
from tests.runtime.ledger.samples import opened


def test_an_owner_lives_as_long_as_its_lock_is_held(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "ledger.db")
    with owners.alone():
        held = owners.claim("boot-1")
    assert owners.alive("boot-1")
    owners.release("boot-1", held)
    assert not owners.alive("boot-1")
    assert not list(owners.folder.iterdir())


def test_a_living_owner_is_not_forgotten(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "ledger.db")
    with owners.alone():
        held = owners.claim("boot-1")
    owners.forget("boot-1")
    assert owners.alive("boot-1")
    owners.release("boot-1", held)


def test_one_process_per_owner(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        with pytest.raises(LedgerUnavailable, match="another process is owner 'boot-1'"):
            Ledger.open(path, owner="boot-1")
        assert ledger.healthy()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "new\nline"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="an owner is named like"):
        Ledger.open(tmp_path / "ledger.db", owner=name)
    assert not Owners(tmp_path / "ledger.db").alive(name)
