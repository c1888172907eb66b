"""The README's requests to the local profile, as they stand there, on real engines."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.stack.running import Stack

README = Path(__file__).parents[2] / "README.md"
COMMANDS = re.findall(r"^curl -si .*$", README.read_text(), re.MULTILINE)


def _run(stack: Stack, command: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    here = command.replace("http://127.0.0.1:8000", stack.url)
    here = here.replace(".baseload/api-key", str(stack.state / "api-key"))
    done = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=120)
    head, _, body = done.stdout.partition("\n\n")
    first, *lines = head.splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, json.loads(body)


@pytest.fixture(scope="module")
def answers(stack: Stack) -> list[tuple[int, dict[str, str], dict[str, Any]]]:
    return [_run(stack, command) for command in COMMANDS]


def _told(answer: tuple[int, dict[str, str], dict[str, Any]]) -> tuple[int, str, str, str]:
    """The status, the model, where it was asked up to the replica, and why."""
    status, headers, _ = answer
    target = headers.get("x-baseload-target", "")
    place = "local" if target.startswith("local:tiny-moe-") else target
    return status, headers.get("x-baseload-model", ""), place, headers.get("x-baseload-reason", "")


def test_the_readme_has_four_requests(
    answers: list[tuple[int, dict[str, str], dict[str, Any]]], audited: Stack
) -> None:
    by_task, at_home, refused, after_outage = answers
    bought, home = "offer:stand-in-sg/tiny-moe", ("tiny-moe", "local")
    assert _told(by_task)[:3] == (200, "tiny-moe-plus", bought)
    assert _told(at_home) == (200, *home, "local_fit")
    assert refused[0] == 403
    assert refused[2]["error"]["code"] == "no_compliant_target"
    assert "stand-in-sg/tiny-moe: pipl/stays-in-china" in refused[2]["error"]["message"]
    assert _told(after_outage) == (200, *home, "retry")
    paid = [float(each[1]["x-baseload-cost-usd"]) for each in (by_task, at_home, after_outage)]
    assert paid[0] > max(paid[1:])
