"""What `baseload --help` loads: nobody waits for a gateway or a database to read it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "fastapi", "sqlalchemy", "ray", "vllm", "torch")
TELL = "import sys, cluster.cli.main; print(*sorted(sys.modules), sep='\\n')"


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    done = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", HEAVY)
def test_help_does_not_load(loaded: set[str], name: str) -> None:
    assert "cluster.cli.main" in loaded
    assert name not in loaded
