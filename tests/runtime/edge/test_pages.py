"""The pages say all of it, and fetch nothing: they are read in networks that end at the door."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import pytest
import pytest_asyncio

from runtime.errors import InvalidApiKey, LedgerUnavailable, QueueFull, StreamStalled
from runtime.wire.parse_request import ChatRequest, CompletionRequest
from tests.runtime.parts import MODEL, Stack, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = ["/", "/docs", "/redoc"]
VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with stack(tmp_path_factory.mktemp("pages")) as made:
        yield made


class _Seen(HTMLParser):
    """What a browser would find: addresses, anchors, tags, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action", "data", "srcset"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def close(self) -> None:
        super().close()
        assert self._open == []


async def _seen(s: Stack, path: str) -> tuple[_Seen, str, dict[str, str]]:
    url = s.url.removesuffix("/v1") + path
    async with s.http.get(url, headers={"accept": "text/html"}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        page = await answer.text()
        told = {name.lower(): value for name, value in answer.headers.items()}
    seen = _Seen()
    seen.feed(page)
    seen.close()
    return seen, page, told


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_fetched_from_anywhere(s: Stack, path: str) -> None:
    seen, page, told = await _seen(s, path)
    assert seen.addresses
    assert all(re.fullmatch(r"/[\w./-]*|#[\w{}-]+", each) for each in seen.addresses)
    assert seen.tags.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert "url(" not in page
    assert "@import" not in page
    policy = told["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert told["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
async def test_they_can_be_read_on_a_phone_and_in_the_dark(s: Stack, path: str) -> None:
    _, page, _ = await _seen(s, path)
    assert 'name="viewport" content="width=device-width' in page
    assert "color-scheme: light dark" in page


@pytest.mark.parametrize("path", PAGES)
async def test_every_link_leads_somewhere(s: Stack, path: str) -> None:
    seen, _, _ = await _seen(s, path)
    for address in seen.addresses:
        if address.startswith("#"):
            assert address[1:] in seen.ids
        else:
            async with s.http.get(s.url.removesuffix("/v1") + address) as answer:
                assert answer.status == 200
    assert len(seen.ids) == len(set(seen.ids))


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_documentation_has_every_route_field_header_and_error(
    s: Stack, path: str
) -> None:
    seen, _, _ = await _seen(s, path)
    async with s.http.get(s.url.removesuffix("/v1") + "/openapi.json") as answer:
        document: dict[str, Any] = await answer.json()
    for route in document["paths"]:
        assert route in seen.text
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}):
            assert field in seen.text
    fields = ChatRequest.model_fields.keys() | CompletionRequest.model_fields.keys()
    assert all(field in seen.text for field in fields)
    for name in ("x-baseload-deadline", "x-client-request-id", "traceparent", "x-request-id"):
        assert name in seen.text
    for error in (InvalidApiKey, QueueFull, LedgerUnavailable, StreamStalled):
        assert error.code in seen.text
        assert error.says in seen.text
    assert "config_error" not in seen.text
    assert MODEL in seen.text
    assert s.url in seen.text


async def test_the_document_promises_nothing_that_is_never_answered(s: Stack) -> None:
    async with s.http.get(s.url.removesuffix("/v1") + "/openapi.json") as answer:
        document: dict[str, Any] = await answer.json()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert "422" not in operation["responses"], path
            assert "default" in operation["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["info"]["version"] != "1"
