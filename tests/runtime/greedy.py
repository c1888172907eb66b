"""Greedy streams that a replica breaks off, as their client reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import Stack, stack

GREEDY: dict[str, Any] = {"temperature": 0, "stream": True}
TOKENS = 14
SAID = 8  # tokens, when the first replica breaks off


def breaks(fault: Fault = Fault.DIE, after_tokens: int = SAID) -> list[Script]:
    """The first replica breaks off, the second one is well."""
    return [Script(fault=fault, after_tokens=after_tokens), Script()]


async def told(s: Stack, body: dict[str, Any], path: str = "/chat/completions") -> list[Any]:
    """The frames of an answer: decoded, where they are JSON."""
    answer = await s.post(body, path=path)
    assert answer.status == 200
    frames = [frame for frame in (await answer.read()).split(b"\n\n") if frame]
    return [frame if frame[6:7] != b"{" else json.loads(frame[6:]) for frame in frames]


async def told_without_a_break(
    tmp_path: Path, body: dict[str, Any], path: str = "/chat/completions"
) -> list[Any]:
    (tmp_path / "well").mkdir()
    async with stack(tmp_path / "well") as s:
        return await told(s, body, path)


def plain(frames: list[Any]) -> list[Any]:
    """Frames by what their client reads of them."""
    return [each if isinstance(each, bytes) else _meant(each) for each in frames]


def _meant(frame: dict[str, Any]) -> Any:
    head = {key: frame[key] for key in ("id", "object", "created", "model")}
    said = [
        (
            each.get("delta", {}).get("role"),
            each.get("delta", {}).get("content") or each.get("text") or "",
            each["finish_reason"],
            each.get("token_ids"),
        )
        for each in frame["choices"]
    ]
    return head, said, frame.get("usage"), frame.get("prompt_token_ids")
