"""A client that leaves frees the card within a second, and is billed for what it got."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import openai

from tests.stack.running import Stack

FREE_S_MAX = 1.0


def running_requests(engines: list[dict[str, Any]]) -> int:
    total = 0
    for engine in engines:
        url = engine["base_url"].removesuffix("/v1") + "/load"
        request = urllib.request.Request(
            url, headers={"authorization": f"Bearer {engine['token']}"}
        )
        with urllib.request.urlopen(request, timeout=5) as stream:
            total += json.loads(stream.readline())["running"]
    return total


def test_leaving_aborts_within_a_second(audited: Stack, client: openai.OpenAI) -> None:
    engines = audited.command("engines")
    stream = client.chat.completions.create(
        model="tiny-moe",
        messages=[{"role": "user", "content": "Count"}],
        max_tokens=3900,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    for _ in range(5):
        next(stream)
    assert running_requests(engines) == 1
    stream.close()
    left_s = time.monotonic()
    while running_requests(engines):
        assert time.monotonic() - left_s < FREE_S_MAX
        time.sleep(0.05)
    time.sleep(0.5)
    last = audited.command("ledger", "requests")[-1]
    assert last["outcome"] == "client_left"
    assert 4 <= last["completion_tokens"] < 3900
