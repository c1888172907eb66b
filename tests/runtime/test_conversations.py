"""A conversation of a rule stays where its prompt is cached, as long as that costs less.

The vendors are real servers that keep prompts as vendors do, and say what they read from there.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runtime.edge.private_server import PrivateServer
from runtime.engine.scripted_answer import CHARS_PER_TOKEN
from tests.runtime.parts import HOST, KEY_ENV, MODEL, Stack, chat, stack
from tests.runtime.vendors import NAMES, message, prices, settled

TURNS = 18
SYSTEM = "You keep the books of a river port. " * 120  # a usual agent's instructions
SAYS = "The barge Aurelia came in with grain, and left with salt at noon. " * 6
ANSWER = "The wheel turned. " * 4


def alike(one: str, other: str) -> int:
    """With how many characters both begin."""
    pairs = zip(one, other, strict=False)
    end = min(len(one), len(other))
    return next((at for at, (a, b) in enumerate(pairs) if a != b), end)


@dataclass
class CachingVendor:
    """It fails the first ``failures`` requests. ``is_caching``: it keeps prompts."""

    failures: int = 0
    is_caching: bool = True
    asked: int = 0
    failed: int = 0
    _prompts: list[str] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])])

    async def _chat(self, request: Request) -> Response:
        if self.failed < self.failures:
            self.failed += 1
            return JSONResponse({"error": {"message": "busy"}}, status_code=503)
        self.asked += 1
        prompt = json.dumps((await request.json())["messages"])
        shared = max((alike(each, prompt) for each in self._prompts), default=0)
        self._prompts.append(prompt)
        told: dict[str, Any] = {
            "prompt_tokens": len(prompt) // CHARS_PER_TOKEN,
            "completion_tokens": len(ANSWER) // CHARS_PER_TOKEN,
        }
        if self.is_caching:
            told["prompt_tokens_details"] = {"cached_tokens": shared // CHARS_PER_TOKEN}
        return JSONResponse(message(ANSWER, usage=told))


@asynccontextmanager
async def port(
    tmp_path: Path, *sells: tuple[str, CachingVendor], **rule: Any
) -> AsyncIterator[Stack]:
    """A gateway that buys all it is asked: each vendor sells one model, as much dearer than the
    first as it comes later."""
    async with AsyncExitStack() as opened:
        providers = {}
        for name, (model, vendor) in zip(NAMES, sells, strict=False):
            server = PrivateServer(vendor.app, HOST)
            await server.start()
            opened.push_async_callback(server.stop)
            url = f"http://{HOST}:{server.port}/v1"
            providers[name] = {"base_url": url, "key_env": KEY_ENV, "offers": {model: MODEL}}
        candidates = list(dict.fromkeys(model for model, _ in sells))
        rules = {"books": {"tasks": ["books"], "candidates": candidates, **rule}}
        config = {"rules": rules, "providers": providers}
        made = stack(tmp_path, scripts=(), config=config, prices=prices())
        yield await opened.enter_async_context(made)


async def converse(s: Stack, turns: int = TURNS, model: str = "books") -> list[str]:
    """The target that answered each turn. What was said stays in the prompt of the next."""
    answered = []
    said = [{"role": "system", "content": SYSTEM}]
    for turn in range(turns):
        said.append({"role": "user", "content": f"{turn}: {SAYS}"})
        answer = await s.post(chat() | {"model": model, "messages": said, "max_tokens": 40})
        assert answer.status == 200, await answer.text()
        told = (await answer.json())["choices"][0]["message"]["content"]
        said.append({"role": "assistant", "content": told})
        answered.append(answer.headers["x-baseload-target"])
    return answered


def cached_share(s: Stack) -> float:
    """Of all tokens of prompts that were answered, by the bills."""
    rows = [row for row in settled(s) if row["prompt_tokens"]]
    assert len(rows) == TURNS
    cached: int = sum(row["cached_tokens"] or 0 for row in rows)
    prompts: int = sum(row["prompt_tokens"] for row in rows)
    return cached / prompts


async def test_18_turns_stay_with_the_model_that_has_them_in_its_cache(tmp_path: Path) -> None:
    """The cheaper model fails at first, then it would answer: but all would be read anew there."""
    cheap, dear = CachingVendor(failures=1), CachingVendor()
    async with port(tmp_path, ("m", cheap), ("n", dear), choose="cheapest") as s:
        assert set(await converse(s)) == {f"offer:second/{MODEL}"}
        assert (cheap.asked, cheap.failed, dear.asked) == (0, 1, TURNS)
        assert cached_share(s) >= 0.9


async def test_18_turns_of_a_rule_in_order_do_not_go_back_to_the_first(tmp_path: Path) -> None:
    first, second = CachingVendor(failures=1), CachingVendor()
    async with port(tmp_path, ("m", first), ("n", second)) as s:
        assert set(await converse(s)) == {f"offer:second/{MODEL}"}
        assert cached_share(s) >= 0.9


async def test_18_turns_stay_with_the_provider_of_one_model(tmp_path: Path) -> None:
    cheap, dear = CachingVendor(failures=1), CachingVendor()
    async with port(tmp_path, ("m", cheap), ("m", dear)) as s:
        assert set(await converse(s)) == {f"offer:second/{MODEL}"}
        assert cached_share(s) >= 0.9


async def test_it_moves_where_that_saves_more_than_the_cache(tmp_path: Path) -> None:
    """Little of a long second turn is cached."""
    cheap, dear = CachingVendor(failures=1), CachingVendor()
    async with port(tmp_path, ("m", cheap), ("n", dear), choose="cheapest") as s:
        first, *_ = await converse(s, turns=1)
        long = chat("Another matter. " * 400, model="books", max_tokens=40)
        said = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"0: {SAYS}"}]
        long["messages"] = [*said, *long["messages"]]
        second = (await s.post(long)).headers["x-baseload-target"]
        assert (first, second) == (f"offer:second/{MODEL}", f"offer:first/{MODEL}")


async def test_a_vendor_that_reads_nothing_from_a_cache_holds_nobody(tmp_path: Path) -> None:
    cheap, dear = CachingVendor(failures=1), CachingVendor(is_caching=False)
    async with port(tmp_path, ("m", cheap), ("n", dear), choose="cheapest") as s:
        targets = await converse(s, turns=5)
        assert targets == [f"offer:second/{MODEL}"] * 2 + [f"offer:first/{MODEL}"] * 3


async def test_it_leaves_a_target_that_may_not_have_it_any_more(tmp_path: Path) -> None:
    cheap, dear = CachingVendor(failures=1), CachingVendor()
    async with port(tmp_path, ("m", cheap), ("n", dear), choose="cheapest") as s:
        assert await converse(s, turns=2) == [f"offer:second/{MODEL}"] * 2
        config = s.gateway.config
        second = config.providers["second"].model_copy(update={"allowed_sensitivity": frozenset()})
        providers = {**config.providers, "second": second}
        s.gateway.reconfigure(config.model_copy(update={"providers": providers}))
        assert await converse(s, turns=2) == [f"offer:first/{MODEL}"] * 2


async def test_a_request_that_names_its_model_is_not_remembered(tmp_path: Path) -> None:
    async with port(tmp_path, ("m", CachingVendor())) as s:
        await converse(s, turns=2, model="m")
        assert len(s.gateway.sessions) == 0
        await converse(s, turns=3)
        assert len(s.gateway.sessions) == 1
