"""What every test of the runtime stands on."""

from __future__ import annotations

import pytest

from tests.runtime.parts import KEY_ENV


@pytest.fixture(autouse=True)
def _vendor_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, "vendor-key")
