from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.ledger import Ledger
from runtime.ledger.open_store import open_store


def test_a_path_and_its_url_are_one_store(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert open_store(f"sqlite:///{path}").name == open_store(path).name == str(path)
    assert open_store(str(path)).name == str(path)
    assert open_store("sqlite:///state/ledger.db").name == "state/ledger.db"


def test_what_is_of_this_host_lies_beside_the_file(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/ledger.db")
    assert store.host_file("clocks") == tmp_path / "ledger.db.clocks"


def test_a_store_that_there_is_not_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable) as refused:
        Ledger.open("postgresql://me:secret@host/ledger", owner="boot-1")
    assert str(refused.value) == "a ledger cannot be kept in postgresql: write sqlite:///FILE"
    with pytest.raises(LedgerUnavailable, match="names no file"):
        open_store("sqlite:///")
