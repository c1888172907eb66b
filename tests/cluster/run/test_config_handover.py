"""A changed configuration on its way to who has Serve: whole, once, and the last one counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.run.config_handover import Follower, Handover, hand_over


class Receiver:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.fails = False

    def apply(self, user_config: dict[str, Any]) -> None:
        if self.fails:
            raise RuntimeError("Serve is gone")
        self.told.append(("apply", user_config))

    def refuse(self, errors: list[str]) -> None:
        self.told.append(("refuse", errors))


@pytest.mark.parametrize("name", ["serve.yaml", "serve-8010.yaml"])
def test_what_is_handed_over_arrives_once(tmp_path: Path, name: str) -> None:
    config, receiver = tmp_path / name, Receiver()
    follower = Follower(config, receiver)
    follower.look()
    assert receiver.told == []
    hand_over(config, Handover({"ttft_budget_ms": 1}))
    follower.look()
    follower.look()
    assert receiver.told == [("refuse", []), ("apply", {"ttft_budget_ms": 1})]
    hand_over(config, Handover(None, ["one", "two"]))
    follower.look()
    assert receiver.told[2:] == [("refuse", ["one", "two"])]


def test_nothing_of_a_run_before_arrives(tmp_path: Path) -> None:
    config, receiver = tmp_path / "serve.yaml", Receiver()
    hand_over(config, Handover({"ttft_budget_ms": 1}))
    Follower(config, receiver).look()
    assert receiver.told == []


def test_a_failure_is_logged_and_the_next_change_arrives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, receiver = tmp_path / "serve.yaml", Receiver()
    follower = Follower(config, receiver)
    receiver.fails = True
    looks = iter((False, False, True))

    def wait() -> bool:
        if ended := next(looks):
            return ended
        hand_over(config, Handover({"ttft_budget_ms": len(receiver.told)}))
        return False

    follower.follow(wait)
    assert caplog.text.count("could not be handed to Serve") == 2
    receiver.fails = False
    hand_over(config, Handover({"ttft_budget_ms": 9}))
    follower.look()
    assert receiver.told[-1] == ("apply", {"ttft_budget_ms": 9})
