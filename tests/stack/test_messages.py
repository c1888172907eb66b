"""A real engine that is asked by Anthropic's API and by OpenAI's: vLLM has both.

What comes through a gateway from its ``/v1/messages`` is what its own chat completions say.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import APIStatusError, OpenAI

from cluster.machine.ports import free_ports
from models.price_book import Price, PriceBook
from models.tiny.checkpoint import ensure_tiny_moe
from tests.runtime.parts import KEY_ENV, MODEL, Stack, stack
from tests.runtime.vendors import settled

START_S_MAX = 600.0  # its imports alone take minutes where others work beside it
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 12}
pytestmark = pytest.mark.timeout(START_S_MAX + 120)
TURNS: list[Any] = [
    {"role": "system", "content": "You tell of rivers."},
    {"role": "user", "content": "hello river"},
]
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
}


@pytest.fixture(scope="module")
def vllm_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """vLLM's own server, started as its users start it."""
    folder = tmp_path_factory.mktemp("vllm")
    checkpoint, (port,) = ensure_tiny_moe(folder / MODEL), free_ports(1)
    flags = ["--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port)]
    flags += ["--max-model-len", "2048", "--max-num-seqs", "8", "--max-num-batched-tokens", "512"]
    flags += ["--enforce-eager", "--num-gpu-blocks-override", "256"]
    flags += ["--generation-config", "vllm", "--enable-prompt-tokens-details"]
    module = "vllm.entrypoints.openai.api_server"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", module, "--model", str(checkpoint), *flags],
            env=os.environ | ENVIRONMENT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(server, url, folder / "log")
        yield f"{url}/v1"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_S_MAX
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    pytest.fail(log.read_text(errors="replace")[-2_000:])


@asynccontextmanager
async def _served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> AsyncIterator[Stack]:
    """A gateway that buys there, and has no replica."""
    monkeypatch.setenv(KEY_ENV, "any")
    offer = {"name": MODEL, "context_tokens_max": 2048, "output_tokens_max": 64}
    account = {
        "vendor": "anthropic",
        "base_url": url,
        "key_env": KEY_ENV,
        "offers": {MODEL: offer},
    }
    price = Price(
        price_id="real",
        provider="real",
        model=MODEL,
        input_pico=1_000_000,
        cached_input_pico=None,
        output_pico=2_000_000,
        effective_from=date(2026, 1, 1),
        effective_to=None,
        source="made up",
    )
    config = {"providers": {"real": account}}
    async with stack(tmp_path, scripts=[], config=config, prices=PriceBook((price,))) as made:
        yield made


@pytest.fixture(scope="module")
def direct(vllm_url: str) -> Any:
    """What the same engine answers to OpenAI's own client, asked without a gateway."""
    with OpenAI(base_url=vllm_url, api_key="any", max_retries=0) as client:
        create: Any = client.chat.completions.create
        return create(model=MODEL, messages=TURNS, **GREEDY)


async def test_a_whole_answer_is_the_same_by_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vllm_url: str, direct: Any
) -> None:
    async with _served(tmp_path, monkeypatch, vllm_url) as s:
        create: Any = s.openai.chat.completions.create
        answer = await create(model=MODEL, messages=TURNS, **GREEDY)
        await s.idle()
        (row,) = settled(s)
    assert answer.choices[0].message.content == direct.choices[0].message.content
    assert answer.choices[0].finish_reason == direct.choices[0].finish_reason == "length"
    assert answer.usage.prompt_tokens == direct.usage.prompt_tokens == row["prompt_tokens"]
    assert answer.usage.completion_tokens == row["completion_tokens"] == 12
    assert row["usage_source"] == "target"
    assert row["cost_nano_usd"] == 1_000 * row["prompt_tokens"] + 2_000 * 12


async def test_so_is_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vllm_url: str, direct: Any
) -> None:
    asked = {**GREEDY, "stream": True, "stream_options": {"include_usage": True}}
    async with _served(tmp_path, monkeypatch, vllm_url) as s:
        create: Any = s.openai.chat.completions.create
        chunks = [each async for each in await create(model=MODEL, messages=TURNS, **asked)]
        await s.idle()
        (row,) = settled(s)
    words = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert words == direct.choices[0].message.content
    assert chunks[-1].usage.prompt_tokens == direct.usage.prompt_tokens == row["prompt_tokens"]
    assert chunks[-1].usage.completion_tokens == row["completion_tokens"] == 12


async def test_what_it_refuses_is_told_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vllm_url: str
) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    async with _served(tmp_path, monkeypatch, vllm_url) as s:
        create: Any = s.openai.chat.completions.create
        with pytest.raises(APIStatusError) as caught:  # it was started without tools
            await create(model=MODEL, messages=TURNS, tools=[tool], tool_choice="auto", **GREEDY)
        assert caught.value.status_code == 400
        assert "tool" in caught.value.message
