"""Pages of other origins may call only where the configuration names their origin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.config import load_config
from tests.runtime.parts import Stack, chat, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

OURS = "https://chat.example.com"
THEIRS = "https://evil.example.com"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASELOAD_TEST_VENDOR_KEY", "vendor-key")
        async with stack(tmp_path_factory.mktemp("cors")) as made:
            yield made


def _allow(s: Stack, *origins: str) -> None:
    """As `serve deploy` does: without a restart."""
    s.gateway.reconfigure(load_config({"http": {"allowed_origins": list(origins)}}))


async def _ask(
    s: Stack,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    body: Any = None,
    **headers: str,
) -> tuple[int, dict[str, str]]:
    url = s.url.removesuffix("/v1") + path
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with s.http.request(method, url, json=body, headers=named) as answer:
        await answer.read()
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}


def _cors(told: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in told.items() if name.startswith("access-control-")}


async def test_nothing_is_allowed_unless_it_is_configured(s: Stack) -> None:
    _allow(s)
    status, told = await _ask(s, "OPTIONS", origin=OURS, **PREFLIGHT)
    assert (status, _cors(told)) == (405, {})
    status, told = await _ask(s, body=chat(), origin=OURS)
    assert (status, _cors(told)) == (200, {})
    assert "vary" not in told


async def test_a_preflight_needs_no_key(s: Stack) -> None:
    _allow(s, OURS)
    asked, rows = s.asked, len(s.rows())
    status, told = await _ask(s, "OPTIONS", origin=OURS, authorization="", **PREFLIGHT)
    assert status == 204
    assert told["access-control-allow-origin"] == OURS
    assert "POST" in told["access-control-allow-methods"]
    allowed = told["access-control-allow-headers"].replace(" ", "").split(",")
    assert {"authorization", "content-type", "x-stainless-lang"} <= set(allowed)
    assert int(told["access-control-max-age"]) > 0
    assert "origin" in told["vary"].lower()
    assert "access-control-allow-credentials" not in told
    assert (s.asked, len(s.rows())) == (asked, rows)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_can_be_read_by_the_page_and_so_can_its_headers(
    s: Stack, stream: bool
) -> None:
    _allow(s, OURS)
    status, told = await _ask(s, body=chat(stream=stream), origin=OURS)
    assert status == 200
    assert told["access-control-allow-origin"] == OURS
    assert told["vary"].lower() == "origin"
    exposed = told["access-control-expose-headers"].split(", ")
    ours = {name for name in told if name.startswith("x-")}
    assert ours | {"retry-after", "x-should-retry", "x-baseload-cost-usd"} <= set(exposed)
    assert "access-control-allow-credentials" not in told


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/models", None, 200),
        ("GET", "/ready", None, 200),
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/v1/chat/completions", None, 405),
        ("POST", "/v1/chat/completions", {}, 400),
        ("POST", "/v1/messages", {}, 404),
    ],
)
async def test_so_can_every_other_answer(
    s: Stack, method: str, path: str, body: Any, status: int
) -> None:
    _allow(s, OURS)
    got, told = await _ask(s, method, path, body, origin=OURS)
    assert (got, told["access-control-allow-origin"]) == (status, OURS)


async def test_a_refused_key_can_be_read_too(s: Stack) -> None:
    _allow(s, OURS)
    status, told = await _ask(s, body=chat(), origin=OURS, authorization="Bearer wrong")
    assert (status, told["access-control-allow-origin"]) == (401, OURS)


@pytest.mark.parametrize(
    "origin",
    [
        THEIRS,
        "null",
        OURS + ".evil.com",
        OURS.upper(),
        OURS + "/",
        OURS + ":443",
        OURS.replace("https", "http"),
        "",
        "x" * 5_000,
    ],
)
async def test_another_origin_is_told_nothing(s: Stack, origin: str) -> None:
    _allow(s, OURS)
    status, told = await _ask(s, "OPTIONS", origin=origin, **PREFLIGHT)
    assert (status, _cors(told)) == (405, {})
    status, told = await _ask(s, body=chat(), origin=origin)
    assert (status, _cors(told)) == (200, {})
    assert told["vary"].lower() == "origin"  # a cache must not keep it for a page that may


async def test_every_origin_where_that_is_configured(s: Stack) -> None:
    _allow(s, "*")
    for origin in (OURS, "null"):
        status, told = await _ask(s, "OPTIONS", origin=origin, **PREFLIGHT)
        assert (status, told["access-control-allow-origin"]) == (204, "*")
        _, told = await _ask(s, body=chat(), origin=origin)
        assert told["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in told


async def test_a_request_without_an_origin_is_no_pages(s: Stack) -> None:
    _allow(s, OURS)
    _, told = await _ask(s, body=chat())
    assert _cors(told) == {}
    status, told = await _ask(s, "OPTIONS", origin=OURS)  # no preflight: it asks for no method
    assert status == 405


@pytest.mark.parametrize("asked", ["x" * 10_000, "a b", "a;b", "a\tb", "é", ",,"])
async def test_headers_that_are_none_are_not_repeated(s: Stack, asked: str) -> None:
    _allow(s, OURS)
    wanted = {**PREFLIGHT, "access-control-request-headers": asked}
    status, told = await _ask(s, "OPTIONS", origin=OURS, **wanted)
    assert status == 204
    assert asked not in told["access-control-allow-headers"]
    assert "authorization" in told["access-control-allow-headers"]
