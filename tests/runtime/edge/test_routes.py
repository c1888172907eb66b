"""Every path that clients are known to ask for is answered, or its 404 says what to ask instead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.request import urlopen

import pytest
import pytest_asyncio

from runtime.run_mark import RUN_ENV
from tests.runtime.hand import Hand
from tests.runtime.parts import MODEL, Stack, chat, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

HAND = Hand()
VENDOR_MODEL = "deepseek-ai/DeepSeek-V3.2"  # an id with a slash, which only an offer serves
CONTEXT_TOKENS = 163_840


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    offers = {VENDOR_MODEL: {"name": MODEL, "context_tokens_max": CONTEXT_TOKENS}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASELOAD_TEST_VENDOR_KEY", "vendor-key")
        folder = tmp_path_factory.mktemp("routes")
        async with stack(folder, sells=True, terms={"offers": offers}, clock=HAND.clock) as made:
            yield made


async def _ask(
    s: Stack, method: str, path: str, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """The whole path, without the /v1 of the stack's URL."""
    url = s.url.removesuffix("/v1") + path
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with s.http.request(method, url, headers=named, allow_redirects=False) as answer:
        told = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, told, await answer.read()


async def _refusal(s: Stack, method: str, path: str, **headers: str) -> dict[str, Any]:
    status, told, body = await _ask(s, method, path, **headers)
    assert status == 404, body
    assert told["x-request-id"].startswith("req-")
    error: dict[str, Any] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == "not_found"
    return error


@pytest.mark.parametrize("path", ["/health", "/health/", "/ready", "/live"])
async def test_health_is_what_ready_says(s: Stack, path: str) -> None:
    status, _, body = await _ask(s, "GET", path)
    assert status == 200
    assert json.loads(body)["live" if path == "/live" else "ready"] is True


async def test_ready_names_the_run_that_answers(s: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that `baseload serve` does not take another run on the same port for its own."""
    monkeypatch.delenv(RUN_ENV, raising=False)
    assert "run" not in json.loads((await _ask(s, "GET", "/ready"))[2])
    monkeypatch.setenv(RUN_ENV, "cafe")
    assert json.loads((await _ask(s, "GET", "/ready"))[2])["run"] == "cafe"


async def test_ready_says_where_the_metrics_are(s: Stack) -> None:
    """Their port may have moved up from the one in the file."""
    assert "metrics" not in json.loads((await _ask(s, "GET", "/ready"))[2])
    s.metrics_server.serve("127.0.0.1", 0)  # one that is free
    try:
        told = json.loads((await _ask(s, "GET", "/ready"))[2])["metrics"]
        scraped = await asyncio.to_thread(lambda: urlopen(told, timeout=5).read())
        assert b"baseload_queue" in scraped
    finally:
        s.metrics_server.close()


async def test_health_is_not_ok_while_nothing_could_be_served(
    s: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s.gateway, "draining", True)
    assert [(await _ask(s, "GET", path))[0] for path in ("/health", "/ready", "/live")] == [
        503,
        503,
        200,
    ]


@pytest.mark.parametrize(
    "path", ["/", "/v1/models", f"/v1/models/{MODEL}", "/health", "/ready", "/live", "/docs"]
)
async def test_head_says_what_get_says_without_its_body(s: Stack, path: str) -> None:
    got = await _ask(s, "GET", path)
    told = await _ask(s, "HEAD", path)
    assert (told[0], told[2]) == (200, b"")
    for name in ("content-type", "content-length"):
        assert told[1][name] == got[1][name]
    # The connection is usable after it.
    assert (await _ask(s, "GET", path))[2] == got[2]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_head_of_a_generation_route_names_the_method(s: Stack, path: str) -> None:
    status, told, _ = await _ask(s, "HEAD", path)
    assert (status, told["allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_page_that_can_be_read_only_says_so(s: Stack, method: str) -> None:
    status, told, _ = await _ask(s, method, "/v1/models")
    assert (status, told["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_trailing_slash_is_the_same_route(s: Stack, stream: bool) -> None:
    async with s.http.post(s.url + "/chat/completions/", json=chat(stream=stream)) as answer:
        assert answer.status == 200
        assert b"river" in await answer.read()
    for path in ("/v1/models/", f"/v1/models/{MODEL}/", "/live/", "/docs/"):
        assert (await _ask(s, "GET", path))[0] == 200


async def test_models_are_told_with_their_size_and_one_constant_time(s: Stack) -> None:
    listed = json.loads((await _ask(s, "GET", "/v1/models"))[2])
    assert listed["object"] == "list"
    by_id = {each["id"]: each for each in listed["data"]}
    assert by_id[MODEL]["max_model_len"] == 4096
    assert by_id[VENDOR_MODEL]["max_model_len"] == CONTEXT_TOKENS
    for each in by_id.values():
        assert (each["object"], each["owned_by"]) == ("model", "baseload")
        assert each["created"] == HAND.clock.unix_ms() // 1000
    assert json.loads((await _ask(s, "GET", "/v1/models"))[2]) == listed


@pytest.mark.parametrize("model", [MODEL, VENDOR_MODEL, VENDOR_MODEL.replace("/", "%2F")])
async def test_one_model(s: Stack, model: str) -> None:
    status, _, body = await _ask(s, "GET", f"/v1/models/{model}")
    assert status == 200
    listed = json.loads((await _ask(s, "GET", "/v1/models"))[2])["data"]
    assert json.loads(body) in listed
    assert json.loads(body)["id"] == model.replace("%2F", "/")


async def test_one_model_that_is_not_here(s: Stack) -> None:
    status, _, body = await _ask(s, "GET", "/v1/models/" + "a/b" * 200)
    error = json.loads(body)["error"]
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert MODEL in error["message"]
    assert len(error["message"]) < 300


@pytest.mark.parametrize("path", ["/v1/models", f"/v1/models/{MODEL}", "/v1/models/no-such"])
async def test_models_need_a_key(s: Stack, path: str) -> None:
    status, told, _ = await _ask(s, "GET", path, authorization="Bearer wrong")
    assert (status, told["www-authenticate"]) == (401, "Bearer")


async def test_an_offers_own_context_holds_where_only_it_serves(s: Stack) -> None:
    text = "word " * 32_000  # under the offer's context, and over what was assumed before
    body = {**chat(text), "model": VENDOR_MODEL}
    assert len(text) + 5 > 131_072
    async with s.http.post(s.url + "/chat/completions", json=body) as answer:
        assert answer.status == 200, await answer.text()


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/responses", "/v1/chat/completions"),
        ("/v1/responses/resp_1/input_items", "/v1/chat/completions"),
        ("/responses", "/v1/chat/completions"),
        ("/v1/embeddings", "embedding"),
        ("/v1/moderations", "/v1/chat/completions"),
        ("/v1/files", "request"),
        ("/v1/batches", "x-baseload-deadline"),
        ("/v1/images/generations", "text"),
        ("/v1/audio/transcriptions", "text"),
        ("/v1/rerank", "embedding"),
        ("/v1/assistants", "/v1/chat/completions"),
        ("/v1/fine_tuning/jobs", "served"),
        ("/api/generate", "/v1/chat/completions"),  # ollama's
        ("/api/chat", "/v1/chat/completions"),
        ("/generate", "/v1/completions"),  # of TGI and SGLang
        ("/metrics", "metrics_port"),
        ("/v1/chat", "/v1/chat/completions"),
        ("/v1", "/v1/models"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_api_that_is_not_served_names_what_to_use(
    s: Stack, method: str, path: str, names: str
) -> None:
    assert names in (await _refusal(s, method, path))["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/completions",
        "/models",
        "/v1/v1/chat/completions",
        "/v1/v1/models",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "/api/v1/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions",
        "/v1/chat/completions/chat/completions",
        "/v2/chat/completions",
    ],
)
async def test_a_wrong_base_url_is_told_the_right_one(s: Stack, path: str) -> None:
    message = (await _refusal(s, "POST", path))["message"]
    assert "base URL" in message
    assert message.count("/v1") >= 1


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/favicon.ico"])
async def test_any_other_path(s: Stack, path: str) -> None:
    assert "/docs" in (await _refusal(s, "GET", path))["message"]


async def test_a_path_of_any_length_is_told_back_short(s: Stack) -> None:
    message = (await _refusal(s, "GET", "/" + "x" * 5_000 + "/chat/completions"))["message"]
    assert len(message) < 400


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/messages", {}),
        ("/v1/messages/count_tokens", {}),
        ("/v1/v1/messages", {}),
        ("/messages", {}),
        ("/v1/complete", {}),
        ("/v1/nothing", {"anthropic_version": "2023-06-01"}),
    ],
)
async def test_anthropics_clients_are_told_in_their_own_words(
    s: Stack, path: str, headers: dict[str, str]
) -> None:
    status, told, body = await _ask(s, "POST", path, **headers)
    answer = json.loads(body)
    assert status == 404
    assert answer["type"] == "error"
    assert answer["error"]["type"] == "not_found_error"
    assert "/v1/chat/completions" in answer["error"]["message"] or "nothing" in path
    assert answer["request_id"] == told["x-request-id"] == told["request-id"]


async def test_a_person_sees_what_this_is(s: Stack) -> None:
    accept = "text/html,application/xhtml+xml,*/*;q=0.8"
    status, told, body = await _ask(s, "GET", "/", accept=accept)
    page = body.decode()
    assert (status, told["content-type"]) == (200, "text/html; charset=utf-8")
    for part in ("Baseload", "curl", "/v1/chat/completions", "/docs", "/v1/models", "/ready"):
        assert part in page
    assert s.url in page  # the base URL, as this visitor reaches it
    assert "bl-test" not in page


async def test_a_program_sees_it_as_json(s: Stack) -> None:
    status, told, body = await _ask(s, "GET", "/", accept="*/*")
    assert (status, told["content-type"]) == (200, "application/json")
    said = json.loads(body)
    assert said["name"] == "Baseload"
    assert said["base_url"] == s.url
    assert said["version"]


@pytest.mark.parametrize("host", ['"><script>', "a b", "x" * 400, "exämple"])
async def test_a_strange_host_header_is_not_repeated(s: Stack, host: str) -> None:
    sent = host.encode().decode("latin-1")
    _, _, body = await _ask(s, "GET", "/", accept="text/html", host=sent)
    assert host not in body.decode()
    assert "<script" not in body.decode()
