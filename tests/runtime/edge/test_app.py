"""Bad input at the real edge: the right status in the envelope, and nothing else happens."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
import pytest_asyncio

from models.tiny.tokenizer import read_corpus, train_tokenizer
from runtime.request_limits import LIMITS
from tests.runtime.parts import KEY_ENV, POOL, Stack, chat, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_ENV, "vendor-key")
        folder = tmp_path_factory.mktemp("edge")
        (folder / "tokenizer.json").write_text(train_tokenizer(read_corpus()).to_str())
        pool = POOL.model_copy(update={"tokenizer": folder / "tokenizer.json"})
        async with stack(folder, sells=True, pool=pool) as made:
            yield made


async def _refused(
    s: Stack,
    status: int,
    code: str,
    *,
    body: bytes | None = None,
    method: str = "POST",
    path: str = "/chat/completions",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The error of a request that must leave no trace, after which a good one is served."""
    asked, rows = s.asked, len(s.rows())
    body = json.dumps(chat()).encode() if body is None and method == "POST" else body
    async with s.http.request(
        method,
        s.url + path,
        data=body and BytesIO(body),
        headers=JSON if headers is None else headers,
    ) as answer:
        text = await answer.text()
        assert answer.status == status, text
        assert answer.content_type == "application/json"
        assert answer.headers["x-request-id"].startswith("req-")
        error: dict[str, Any] = json.loads(text)["error"]
        allow = answer.headers.get("allow")
        if status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] in ("invalid_request_error", "authentication_error")
    assert error["code"] == code
    for leak in ("Traceback", 'File "', "/work", ".py", "site-packages", "pydantic"):
        assert leak not in text
    assert (s.asked, len(s.rows())) == (asked, rows)
    good = await s.http.post(s.url + "/chat/completions", json=chat())
    assert good.status == 200
    assert b"river" in await good.read()
    return {**error, "allow": allow}


def _body(**fields: Any) -> bytes:
    return json.dumps(chat(**fields)).encode()


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_value", None),
        (b"hello", "invalid_value", None),
        (b"{", "invalid_value", None),
        (b"[]", "invalid_value", None),
        (b'"text"', "invalid_value", None),
        (b"\xff\xfe", "invalid_value", None),
        (b"[" * 100_000, "invalid_value", None),
        (b'{"model":' * 50_000, "invalid_value", None),
        (_body()[:-1] + b', "temperature": NaN}', "invalid_value", None),
        (_body()[:-1] + b', "temperature": -Infinity}', "invalid_value", None),
        (_body()[:-1] + b', "temperature": 1e999}', "invalid_value", None),
        (_body()[:-1] + b', "seed": ' + b"9" * 5_000 + b"}", "invalid_value", None),
        (_body()[:-1] + b', "model": "tiny-moe"}', "invalid_value", "model"),
        (_body(seed=2**63), "invalid_value", "seed"),
        (_body(max_tokens=10**30), "invalid_value", "max_tokens"),
        (_body(max_tokens="5"), "invalid_value", "max_tokens"),
        (_body(max_tokens=1.5), "invalid_value", "max_tokens"),
        (_body(max_tokens=True), "invalid_value", "max_tokens"),
        (_body(max_tokens=0), "invalid_value", "max_tokens"),
        (_body(n=1_000_000), "invalid_value", "n"),
        (_body(temperature=3), "invalid_value", "temperature"),
        (_body(stream="yes"), "invalid_value", "stream"),
        (_body(messages=[]), "invalid_value", "messages"),
        (_body(messages="hi"), "invalid_value", "messages"),
        (_body(messages=[{"role": "user"}]), "invalid_value", "messages[0].content"),
        (_body(messages=[{"role": "king", "content": ""}]), "invalid_value", "messages[0].role"),
        (_body(model=""), "invalid_value", "model"),
        (_body(model="../../etc/passwd"), "invalid_value", "model"),
        (_body(colour="red"), "unknown_field", "colour"),
        (_body(chat_template="{{ x }}"), "unknown_field", "chat_template"),
        (_body(priority=1), "unknown_field", "priority"),
        (b'{"model": "tiny-moe"}', "invalid_value", "messages"),
    ],
)
async def test_a_bad_body(s: Stack, body: bytes, code: str, param: str | None) -> None:
    assert (await _refused(s, 400, code, body=body))["param"] == param


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": "word " * 8_000}]},
        {"max_tokens": 4097},
        {"max_tokens": 1_000_000},
        {"messages": [{"role": "user", "content": "word " * 3_000}], "max_tokens": 3_000},
    ],
)
async def test_a_prompt_over_the_context(s: Stack, fields: dict[str, Any]) -> None:
    error = await _refused(s, 400, "context_length_exceeded", body=_body(**fields))
    assert error["param"] == "messages"
    assert "4096" in error["message"]


async def test_an_unknown_model(s: Stack) -> None:
    error = await _refused(s, 404, "model_not_found", body=_body(model="gpt-9"))
    assert error["param"] == "model"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/nothing", 404, "not_found"),
        ("POST", "/embeddings", 404, "not_found"),
        ("GET", "/../../etc/passwd", 404, "not_found"),
        ("GET", "/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/chat/completions", 405, "method_not_allowed"),
        ("OPTIONS", "/completions", 405, "method_not_allowed"),
        ("PATCH", "/chat/completions", 405, "method_not_allowed"),
        ("PUT", "/models", 405, "method_not_allowed"),
    ],
)
async def test_an_unknown_route_or_method(
    s: Stack, method: str, path: str, status: int, code: str
) -> None:
    error = await _refused(s, status, code, method=method, path=path)
    if status == 405:
        assert error["allow"] == ("GET, HEAD" if path == "/models" else "POST")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic bl-test",
        "bl-test",
        "Bearer bl-test extra",
        "Bearer " + "x" * 300,
        "Bearer kéy",
    ],
)
@pytest.mark.parametrize("path", ["/chat/completions", "/completions"])
async def test_a_wrong_key(s: Stack, header: str, path: str) -> None:
    await _refused(s, 401, "invalid_api_key", path=path, headers={**JSON, "authorization": header})


async def test_a_missing_key_is_told_before_anything_about_the_body(s: Stack) -> None:
    s.http.headers.popall("authorization")
    try:
        async with s.http.post(s.url + "/chat/completions", data=b"not json") as answer:
            assert answer.status == 401
        async with s.http.get(s.url + "/models") as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == "invalid_api_key"
    finally:
        s.http.headers["authorization"] = "Bearer bl-test"


@pytest.mark.parametrize("kind", ["text/plain", "", "multipart/form-data", "application/jsonp"])
async def test_a_wrong_content_type(s: Stack, kind: str) -> None:
    await _refused(s, 415, "unsupported_media_type", headers={"content-type": kind})


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "deflate, gzip", "x" * 500])
async def test_a_compressed_body(s: Stack, coding: str) -> None:
    """Refused for what it is: what it holds could be of any size."""
    body = gzip.compress(_body())
    headers = {**JSON, "content-encoding": coding}
    error = await _refused(s, 415, "unsupported_media_type", body=body, headers=headers)
    assert "content-encoding" in error["message"]
    assert len(error["message"]) < 200


async def test_a_body_that_says_that_it_is_not_compressed(s: Stack) -> None:
    headers = {**JSON, "content-encoding": "identity"}
    async with s.http.post(s.url + "/chat/completions", data=_body(), headers=headers) as answer:
        assert answer.status == 200


async def test_a_body_of_ten_megabytes(s: Stack) -> None:
    await _refused(s, 413, "body_too_large", body=_body() + b" " * 10_000_000)


async def test_an_endless_chunked_body(s: Stack) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 65_536
            yield b" " * 65_536

    asked = s.asked
    async with s.http.post(s.url + "/chat/completions", data=pieces(), headers=JSON) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"]["code"] == "body_too_large"
    assert s.asked == asked
    assert sent < 8 * LIMITS.body_bytes_max


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("x-baseload-color", "red", "unknown_field"),
        ("x-baseload-latency-budget-ms", "soon", "invalid_value"),
        ("x-baseload-feature", "../x", "invalid_value"),
    ],
)
async def test_a_wrong_tag(s: Stack, header: str, value: str, code: str) -> None:
    error = await _refused(s, 400, code, headers={**JSON, header: value})
    assert error["param"] == header


async def test_models_live_ready_and_the_page(s: Stack) -> None:
    async with s.http.get(s.url + "/models") as answer:
        assert [model["id"] for model in (await answer.json())["data"]] == ["tiny-moe"]
    root = s.url.removesuffix("/v1")
    async with s.http.get(root + "/live") as answer:
        assert answer.status == 200
    async with s.http.get(root + "/ready") as answer:
        assert answer.status == 200
        ready = {"ready": True, "replicas": {"tiny-moe": 1}, "offers": ["stand-in/tiny-moe"]}
        assert await answer.json() == {**ready, "config": s.gateway.config_version}
    async with s.http.get(root + "/docs") as answer:
        assert answer.status == 200


async def test_the_openapi_document_is_whole(s: Stack) -> None:
    async with s.http.get(s.url.removesuffix("/v1") + "/openapi.json") as answer:
        document = await answer.json()
    assert {"/v1/chat/completions", "/v1/completions", "/v1/models"} <= document["paths"].keys()
    for reference in _references(document):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in node, reference
            node = node[step]
    told = document["paths"]["/v1/completions"]["post"]["parameters"]
    assert {each["name"] for each in told} >= {"x-baseload-deadline", "x-baseload-cost-tier"}
    security = document["paths"]["/v1/models"]["get"]["security"]
    assert security[0].keys() <= document["components"]["securitySchemes"].keys()


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in _references(each)]
    if not isinstance(node, dict):
        return []
    here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return here + [found for each in node.values() for found in _references(each)]
