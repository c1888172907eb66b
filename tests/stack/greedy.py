"""Greedy answers as they come from a stack."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.stack.running import Stack

GREEDY_TOKENS = 1200
ASKS = ("Tell me of the river", "Count", "你好，世界", "Write of the sea, please")


@dataclass
class Streamed:
    """A greedy answer as it comes. A body with a ``prompt`` is that of a completion."""

    body: dict[str, Any]
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    request_id: str = ""
    target: str = ""
    texts: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    last: bytes = b""
    error: str | None = None

    async def read(self, session: aiohttp.ClientSession, stack: Stack) -> Streamed:
        path = "completions" if "prompt" in self.body else "chat/completions"
        options = {
            "model": "tiny-moe",
            "max_tokens": GREEDY_TOKENS,
            "temperature": 0,
            "stream": True,
        }
        headers = {"authorization": f"Bearer {stack.key}"}
        url = f"{stack.url}/v1/{path}"
        async with session.post(url, json=options | self.body, headers=headers) as answer:
            self.request_id = answer.headers["x-request-id"]
            self.target = answer.headers["x-baseload-target"]
            async for line in answer.content:
                self.last = line.strip() or self.last
                if line.startswith(b"data: {"):
                    self._note(json.loads(line[6:]))
        return self

    def _note(self, told: dict[str, Any]) -> None:
        self.error = (told.get("error") or {}).get("code")
        for choice in told.get("choices", ()):
            self.ids.add(told["id"])
            delta = choice.get("delta") or {}
            self.texts.append(delta.get("content") or choice.get("text") or "")
            if len(self.texts) > 3:
                self.has_begun.set()

    @property
    def text(self) -> str:
        return "".join(self.texts)


def greedy_bodies() -> list[dict[str, Any]]:
    chats = [{"messages": [{"role": "user", "content": ask}], "ignore_eos": True} for ask in ASKS]
    chats[1]["stop"] = "not to be found"  # the engine holds back as many characters
    completions = [{"prompt": ask, "ignore_eos": True} for ask in ASKS[:2]]
    return [*chats, *completions]
