"""The private app: few routes, one token, and 503 while it drains."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.runtime.parts import MODEL, TOKEN, chat, serving, until

BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("token", [None, "", TOKEN, "Bearer", "Bearer wrong", f"bearer {TOKEN}"])
async def test_without_the_boot_token_nothing_answers(token: str | None) -> None:
    headers = {} if token is None else {"authorization": token}
    async with serving() as served, aiohttp.ClientSession(headers=headers) as http:
        for path in ("/models", "/chat/completions", "/nothing"):
            async with http.post(served.url + path, json=chat()) as answer:
                assert answer.status == 401
                assert (await answer.json())["error"]["message"] == "wrong or missing token"
        assert not served.engine.asked


async def test_only_the_listed_routes_exist() -> None:
    async with serving() as served, aiohttp.ClientSession(headers=BEARER) as http:
        async with http.get(served.url + "/models") as answer:
            assert [model["id"] for model in (await answer.json())["data"]] == [MODEL]
        root = served.url.removesuffix("/v1")
        for path in ("/", "/docs", "/metrics", "/health", "/tokenize", "/v1/embeddings", "/load/x"):
            async with http.get(root + path) as answer:
                assert answer.status == 404
        async with http.get(served.url + "/chat/completions") as answer:
            assert answer.status == 405


async def test_draining_refuses_new_work_and_finishes_the_old() -> None:
    async with serving() as served, aiohttp.ClientSession(headers=BEARER) as http:
        app = served.engine.app
        url = served.url + "/chat/completions"
        running = asyncio.ensure_future(http.post(url, json=chat("[fault:slow]")))
        await until(lambda: app.in_flight == 1)
        app.draining = True
        async with http.post(url, json=chat()) as answer:
            assert answer.status == 503
        async with http.get(served.url + "/models") as answer:
            assert answer.status == 200
        assert (await running).status == 200
        await until(lambda: app.in_flight == 0)
        assert len(served.engine.asked) == 1


async def test_work_that_ends_in_any_way_is_counted_out() -> None:
    async with serving() as served, aiohttp.ClientSession(headers=BEARER) as http:
        url = served.url + "/chat/completions"
        with pytest.raises(TimeoutError):
            await http.post(
                url, json=chat("[fault:hang]"), timeout=aiohttp.ClientTimeout(total=0.1)
            )
        async with http.post(url, json=chat("[fault:server_error]")) as answer:
            assert answer.status == 500
        await until(lambda: served.engine.app.in_flight == 0)
