"""One request id, which is ours, and no switches of Serve in a caller's hands."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import uvicorn
import uvicorn.config
from ray.serve._private.http_util import start_asgi_http_server
from starlette.types import Message, Receive, Scope, Send

from cluster.ingress import IMPORT_PATH, SERVE_SWITCHES, OneRequestId, middlewares
from runtime.edge.app import create_app
from runtime.edge.body_writer import SERVER_SEND
from runtime.edge.edge_context import RECORD, Edge
from runtime.edge.uvicorn_protocol import EdgeProtocol
from runtime.request.request_record import RequestRecord

Headers = list[tuple[bytes, bytes]]


async def _pass(request: Headers, response: Headers) -> tuple[Headers, Headers]:
    """The request's headers as the app sees them, and the response's as the client does."""
    seen: Headers = []
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, inner: Send) -> None:
        seen.extend(scope["headers"])
        assert scope[SERVER_SEND] is send
        await inner({"type": "http.response.start", "status": 200, "headers": response})
        await inner({"type": "http.response.body", "body": b"x"})

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/", "headers": request}
    await OneRequestId(app)(scope, _never, send)
    assert scope["headers"] == request
    assert sent[1] == {"type": "http.response.body", "body": b"x"}
    return seen, sent[0]["headers"]


async def _never() -> Message:
    raise AssertionError


async def test_a_callers_switches_are_dropped() -> None:
    request = [(name, b"1") for name in sorted(SERVE_SWITCHES - {b"x-request-id"})]
    seen, _ = await _pass([*request, (b"authorization", b"k")], [])
    assert seen == [(b"authorization", b"k")]


async def test_a_callers_own_id_goes_on_by_another_name() -> None:
    seen, _ = await _pass([(b"x-request-id", b"theirs"), (b"a", b"b")], [])
    assert seen == [(b"a", b"b"), (b"x-client-request-id", b"theirs")]
    both = [(b"x-request-id", b"a proxy's"), (b"x-client-request-id", b"theirs")]
    seen, _ = await _pass(both, [])
    assert seen == both[1:]


async def test_the_edge_does_not_take_serves_own_id_for_the_callers() -> None:
    """Serve sets one where there is none, between this and the app."""
    record: RequestRecord | None = None

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal record
        scope["headers"].append((b"x-request-id", b"serve's-own"))
        await create_app(Edge())(scope, receive, send)
        record = scope[RECORD]

    async def send(message: Message) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/live", "headers": [], "query_string": b""}
    await OneRequestId(app)(scope, _never, send)
    assert record is not None
    assert record.client_request_id is None


async def test_the_first_request_id_is_the_only_one() -> None:
    response = [
        (b"x-request-id", b"ours"),
        (b"set-cookie", b"a"),
        (b"X-Request-ID", b"serve's"),
        (b"set-cookie", b"b"),
    ]
    _, told = await _pass([], response)
    assert told == [(b"x-request-id", b"ours"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]


async def test_what_is_not_http_passes_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": "lifespan"}
    await OneRequestId(app)(scope, _never, send)
    assert seen[0] is scope


async def test_serves_list_of_routes_is_nobodys_business() -> None:
    """Serve compares the path that uvicorn has decoded, so HAProxy cannot tell."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])

    async def send(message: Message) -> None: ...

    for path in ("/-/routes", "/root/-/routes", "/-/healthz", "/live"):
        await OneRequestId(app)({"type": "http", "path": path, "headers": []}, _never, send)
    assert seen == ["/-/routes/", "/root/-/routes/", "/-/healthz", "/live"]


def test_serves_uvicorn_speaks_our_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Serve configures it: the protocols are uvicorn's to choose."""
    for table in (uvicorn.config.HTTP_PROTOCOLS, uvicorn.config.WS_PROTOCOLS):
        monkeypatch.setitem(table, "auto", table["auto"])
    middlewares()
    config = uvicorn.Config(lambda: None, factory=True, lifespan="off", log_config=None)
    config.load()
    assert config.http_protocol_class is EdgeProtocol
    assert config.ws_protocol_class is None
    source = inspect.getsource(start_asgi_http_server)
    assert "uvicorn.Config(" in source
    assert not re.search(r"\b(http|ws)=", source)


def test_serve_finds_it_by_its_name() -> None:
    module, name = IMPORT_PATH.rsplit(".", 1)
    assert (module, name) == (middlewares.__module__, middlewares.__name__)
    (only,) = middlewares()
    assert only.cls is OneRequestId  # type: ignore[comparison-overlap]
