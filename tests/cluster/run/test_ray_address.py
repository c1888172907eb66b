"""Where a stack answers: found at once, and nothing is made on the way."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.machine.ports import free_ports
from cluster.run import ray_address
from cluster.run.environment import ray_authentication
from cluster.run.ray_address import NothingRuns, cluster_address, existing_token, stack_address


@pytest.fixture(autouse=True)
def nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ray_address.RAY_ADDRESS_ENV, raising=False)
    monkeypatch.setattr(ray_address, "RAY_CURRENT", tmp_path / "current")


@pytest.fixture
def answering() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def silent() -> str:
    return f"127.0.0.1:{free_ports(1)[0]}"


def test_without_a_folder_nothing_runs_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(NothingRuns, match="no stack runs with this state folder") as told:
        stack_address(tmp_path / "state")
    assert str(tmp_path / "state") in told.value.message
    assert "start one with `baseload serve`" in told.value.message
    assert existing_token(tmp_path / "state") == {}
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("left", ["", "nonsense", "127.0.0.1:99999999", "localhost"])
def test_a_file_that_a_killed_run_has_left_is_no_stack(tmp_path: Path, left: str) -> None:
    (tmp_path / "ray-address").write_text(left)
    (tmp_path / "ray-address-8010").write_text(silent())
    began_s = time.monotonic()
    with pytest.raises(NothingRuns):
        stack_address(tmp_path)
    assert time.monotonic() - began_s < 2


def test_the_run_that_answers_is_found_among_those_of_a_folder(
    tmp_path: Path, answering: str
) -> None:
    (tmp_path / "ray-address").write_text(silent())
    (tmp_path / "ray-address-8010").write_text(answering)
    assert stack_address(tmp_path) == answering


def test_an_operator_may_name_the_cluster(
    tmp_path: Path, answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ray_address.RAY_ADDRESS_ENV, answering)
    assert stack_address(tmp_path / "none") == answering


def test_any_ray_of_this_machine_has_cards_to_look_at(tmp_path: Path, answering: str) -> None:
    with pytest.raises(NothingRuns, match="no Ray runs on this machine"):
        cluster_address(tmp_path)
    (tmp_path / "current").write_text(answering)
    assert cluster_address(tmp_path) == answering
    with pytest.raises(NothingRuns):
        stack_address(tmp_path)


def test_a_token_is_used_where_a_run_has_made_one(tmp_path: Path) -> None:
    assert ray_authentication(tmp_path) == existing_token(tmp_path)
