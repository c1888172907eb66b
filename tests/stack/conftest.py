from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from cluster.profile import LOCAL_PROFILE
from tests.stack.running import Stack, running

ALONE = frozenset({"test_layouts.py", "test_nodes.py", "test_overload.py"})


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack, on a file of its own, for all tests that leave both as they found them."""
    folder = tmp_path_factory.mktemp("stack")
    profile = folder / LOCAL_PROFILE.name
    profile.write_text(LOCAL_PROFILE.read_text())
    with running(folder / "state", profile) as started:
        started.wait_for(2, within_s=60)
        yield started


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0) as made:
        yield made


@pytest.fixture
def audited(stack: Stack) -> Iterator[Stack]:
    """The ledger agrees with itself after the test, and nothing is open."""
    yield stack
    found = stack.command("ledger", "audit")
    assert found["ok"], found["problems"]
    assert found["open_reserves"] == 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.stack)
    _leave_alone([item for item in items if here in item.path.parents])


def _leave_alone(items: list[pytest.Item]) -> None:
    """Some take the whole machine: no second stack may stand beside their own."""
    if len({item.path.name for item in items}) == 1:
        return
    for item in items:
        if item.path.name in ALONE:
            item.add_marker(pytest.mark.skip(reason="runs in a process of its own: make test"))
