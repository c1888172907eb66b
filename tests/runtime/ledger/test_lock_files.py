from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.ledger import Ledger
from runtime.ledger.lock_files import LockFiles
from tests.runtime.ledger.samples import opened
from tests.runtime.ledger.test_liveness import another_process


@pytest.fixture
def files(tmp_path: Path) -> LockFiles:
    return LockFiles(tmp_path / "owners")


def test_an_owner_lives_as_long_as_its_lock_is_held(files: LockFiles) -> None:
    claim = files.claim("boot-1")
    assert files.is_alive("boot-1")
    claim.end()
    assert not files.is_alive("boot-1")
    assert not list(files.folder.iterdir())


def test_a_lock_that_was_cleared_away_is_made_again(files: LockFiles) -> None:
    claim = files.claim("boot-1")
    files.lock("boot-1").unlink()
    assert not files.is_alive("boot-1")
    claim.renew()
    assert files.is_alive("boot-1")
    shutil.rmtree(files.folder)
    claim.renew()
    assert files.is_alive("boot-1")
    claim.end()
    assert not list(files.folder.iterdir())


def test_a_name_that_another_process_has_taken_meanwhile_is_lost(files: LockFiles) -> None:
    claim = files.claim("boot-1")
    files.lock("boot-1").unlink()
    other = files.claim("boot-1")
    with pytest.raises(LedgerUnavailable, match="another process is owner 'boot-1'"):
        claim.renew()
    claim.end()
    assert files.is_alive("boot-1")
    other.end()


def test_renewing_changes_no_lock_that_is_there(files: LockFiles) -> None:
    claim = files.claim("boot-1")
    before = files.lock("boot-1").stat()
    claim.renew()
    assert os.path.samestat(files.lock("boot-1").stat(), before)
    claim.end()
    claim.renew()
    assert not files.is_alive("boot-1")


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
    assert not LockFiles(tmp_path / "ledger.db.owners").is_alive(name)


def test_a_process_that_hangs_is_not_dead(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with another_process(url, "boot-1", 1) as process, opened(url, "boot-2") as ledger:
        os.kill(process.pid, signal.SIGSTOP)
        assert ledger.store.liveness.is_alive("boot-1")
        assert ledger.sweep() == 0
