from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.ledger.store_kinds import KINDS, StoreKind


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> StoreKind:
    return KINDS[request.param]


@pytest.fixture
def url(kind: StoreKind, tmp_path: Path) -> str:
    return kind.url(tmp_path)
