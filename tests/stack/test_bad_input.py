"""Bad input through the whole path, HAProxy included: an envelope, no row, no traceback."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.stack.running import Stack

GOOD = {"model": "tiny-moe", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
CHAT = "/v1/chat/completions"


def send(
    stack: Stack,
    method: str,
    path: str,
    body: bytes | None = None,
    key: str | None = None,
    **headers: str,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    try:
        sent = {"content-type": "application/json", **headers}
        if key != "":
            sent["authorization"] = f"Bearer {key or stack.key}"
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        raw = answer.read()
        told = {name.lower(): value for name, value in answer.getheaders()}
        for leak in (b"Traceback", b'File "', b"/site-packages", b"0x7f"):
            assert leak not in raw
        return answer.status, json.loads(raw), told
    finally:
        connection.close()


def changed(**fields: Any) -> bytes:
    return json.dumps(GOOD | fields).encode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_value"),
        (b"[]", 400, "invalid_value"),
        (changed(max_tokens="4"), 400, "invalid_value"),
        (changed(temperature=1).replace(b'"temperature": 1', b'"temperature": NaN'), 400, None),
        (changed(max_tokens=1).replace(b": 1}", b": 1" + b"0" * 5000 + b"}"), 400, None),
        (changed(seed=2**80), 400, None),
        (b'{"model": "tiny-moe", "model": "x", "messages": []}', 400, None),
        (changed(no_such_field=1), 400, "unknown_field"),
        (changed(model="no-such-model"), 404, "model_not_found"),
        (changed(messages=[{"role": "user", "content": "word " * 8000}]), 400, None),
        (changed(messages=[{"role": "user", "content": "x" * 10_000_000}]), 413, "body_too_large"),
    ],
)
def test_bad_bodies(stack: Stack, body: bytes, status: int, code: str | None) -> None:
    before = stack.command("ledger", "audit")["rows"]
    got, answer, _ = send(stack, "POST", CHAT, body)
    assert got == status
    assert code is None or answer["error"]["code"] == code
    assert answer["error"]["type"] == "invalid_request_error"
    assert stack.command("ledger", "audit")["rows"] == before
    assert send(stack, "POST", CHAT, changed())[0] == 200


def test_over_the_context_says_so(stack: Stack) -> None:
    status, answer, _ = send(stack, "POST", CHAT, changed(max_tokens=5000))
    assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")


def test_keys(stack: Stack) -> None:
    for key in ("", "wrong", "bl-" + "x" * 43):
        status, answer, headers = send(stack, "POST", CHAT, changed(), key=key)
        assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
        assert headers["www-authenticate"] == "Bearer"


def test_routes_and_methods(stack: Stack) -> None:
    status, answer, _ = send(stack, "GET", "/v1/nothing")
    assert (status, answer["error"]["code"]) == (404, "not_found")
    status, answer, headers = send(stack, "GET", CHAT)
    assert (status, answer["error"]["code"]) == (405, "method_not_allowed")
    assert headers["allow"] == "POST"
    status, answer, _ = send(stack, "DELETE", "/v1/models")
    assert status == 405


def test_a_request_id_is_never_the_callers(stack: Stack) -> None:
    _, _, headers = send(stack, "POST", CHAT, changed(), **{"x-request-id": "mine"})
    assert headers["x-request-id"].startswith("req-")
