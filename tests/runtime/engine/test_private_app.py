"""The private app: few routes, one token, and 503 while it drains."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.edge.private_server import PrivateServer
from runtime.engine.engine_settings import EngineFacts
from runtime.engine.load_meter import LoadMeter
from runtime.engine.private_app import PrivateApp, rank_path
from scheduler.replica import EngineLimits
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


async def _which_rank(request: Request) -> Response:
    body = await request.json()
    return JSONResponse({"rank": request.headers["x-data-parallel-rank"], "body": body})


async def test_each_rank_has_routes_and_a_load_of_its_own() -> None:
    facts = EngineFacts(
        model=MODEL,
        engine="vllm",
        limits=EngineLimits(1000, 100, 8, 100),
        ranks=3,
        started_s=1.0,
    )
    meters = [LoadMeter() for _ in range(3)]
    meters[2].on_state(running=5, waiting=0, kv_usage=0.5, hit_tokens=0)
    app = PrivateApp(facts, meters, TOKEN, _which_rank, _which_rank, {})
    server = PrivateServer(app.asgi(), "127.0.0.1")
    await server.start()
    root = f"http://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession(headers=BEARER) as http:
        async with http.post(f"{root}{rank_path(2, 3)}/v1/completions", json={"a": 1}) as answer:
            assert await answer.json() == {"rank": "2", "body": {"a": 1}}
        async with http.get(f"{root}{rank_path(2, 3)}/load") as answer:
            report = json.loads(await answer.content.readline())
            assert (report["running"], report["kv_tokens_used"]) == (5, 500)
        async with http.get(f"{root}{rank_path(0, 3)}/load") as answer:
            assert json.loads(await answer.content.readline())["running"] == 0
        for path in ("/rank/3/load", "/rank/x/load", "/load", "/v1/models"):
            async with http.get(root + path) as answer:
                assert answer.status == 404
    await server.stop()


def test_a_single_rank_needs_no_path() -> None:
    assert rank_path(0, 1) == ""
