"""What the edge promises holds behind HAProxy and Serve: ids, methods, bounds, and the log."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any

import pytest

from cluster.run.scratch_folder import folder
from tests.stack.running import Stack

CHAT = "/v1/chat/completions"
BODY = {"model": "tiny-moe", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
LINE_S_MAX = 20.0  # Ray brings a worker's lines to the log


def _ask(
    stack: Stack, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"authorization": f"Bearer {stack.key}", "content-type": "application/json"}
    connection.request(method, path, json.dumps(body) if body else None, named)
    answer = connection.getresponse()
    told = answer.status, answer.headers, answer.read()
    connection.close()
    return told


def _line(stack: Stack, request_id: str) -> dict[str, Any]:
    """The request's line in the log that `baseload serve` keeps."""
    deadline_s = time.monotonic() + LINE_S_MAX
    while time.monotonic() < deadline_s:
        for line in (stack.state / "serve.log").read_text(errors="replace").splitlines():
            if f'"request_id":"{request_id}"' in line:
                told: dict[str, Any] = json.loads(line[line.index("{") :])
                return told
        time.sleep(0.25)
    raise AssertionError(f"no line of {request_id} within {LINE_S_MAX} s")


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_can_be_followed(stack: Stack, stream: bool) -> None:
    status, headers, _ = _ask(
        stack,
        "POST",
        CHAT,
        {**BODY, "stream": stream},
        x_request_id="mine",
        traceparent=f"00-{TRACE_ID}-00f067aa0ba902b7-01",
    )
    assert status == 200
    assert headers.get_all("x-client-request-id") == ["mine"]
    (ours,) = headers.get_all("x-request-id") or []
    told = _line(stack, ours)
    assert (told["client_request_id"], told["trace_id"]) == ("mine", TRACE_ID)
    assert (told["status"], told["outcome"], told["tenant"]) == (200, "ok", "local")
    assert told["target"] == headers["x-baseload-target"]
    assert told["completion_tokens"] > 0


def test_a_refusal_can_be_followed(stack: Stack) -> None:
    _, headers, _ = _ask(stack, "POST", CHAT, {**BODY, "max_tokens": "4"})
    told = _line(stack, headers["x-request-id"])
    assert told["error"] == "invalid_value"
    assert told["client_request_id"] is None  # Serve's own id is not taken for the caller's
    assert "x-client-request-id" not in headers


def test_tokens_and_back(stack: Stack) -> None:
    """The counts of vLLM's own tokenizer and template: those of the bill."""
    status, _, body = _ask(stack, "POST", "/tokenize", BODY)
    counted = json.loads(body)
    assert status == 200
    _, _, body = _ask(stack, "POST", CHAT, BODY)
    assert counted["count"] == json.loads(body)["usage"]["prompt_tokens"]
    asked = {"model": "tiny-moe", "prompt": "The river turned", "return_token_strs": True}
    _, _, body = _ask(stack, "POST", "/tokenize", asked)
    counted = json.loads(body)
    assert counted["count"] == len(counted["tokens"]) == len(counted["token_strs"])
    back = {"model": "tiny-moe", "tokens": counted["tokens"]}
    assert "The river turned" in json.loads(_ask(stack, "POST", "/detokenize", back)[2])["prompt"]


def test_health_head_and_a_trailing_slash(stack: Stack) -> None:
    for path in ("/health", "/", "/docs", "/v1/models", "/v1/models/tiny-moe"):
        status, headers, body = _ask(stack, "HEAD", path)
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0
    assert _ask(stack, "POST", CHAT + "/", BODY)[0] == 200


def test_headers_that_are_too_large(stack: Stack) -> None:
    status, _, body = _ask(stack, "POST", CHAT, BODY, cookie="x" * 20_000)
    assert (status, json.loads(body)["error"]["code"]) == (431, "header_too_large")


def test_a_client_that_closes_its_half_is_not_served_in_silence(stack: Stack) -> None:
    before = len(stack.command("ledger", "requests"))
    body = json.dumps({**BODY, "max_tokens": 2_000, "ignore_eos": True})
    with socket.create_connection(("127.0.0.1", stack.port)) as client:
        head = (
            f"POST {CHAT} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {stack.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        client.sendall((head + body).encode())
        client.shutdown(socket.SHUT_WR)
        told = b""
        while part := client.recv(65_536):
            told += part
    assert told.startswith(b"HTTP/1.1 400")
    assert b"closed" in told
    rows = stack.command("ledger", "requests")
    assert len(rows) - before <= 1
    assert all(row["outcome"] in ("client_left", "ok") for row in rows)


WEBSOCKET = (
    b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def _raw(stack: Stack, sent: bytes) -> tuple[int, bytes, dict[str, Any]]:
    """Status, head and error of what bytes are answered with, whether or not it is a request."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as client:
        client.sendall(sent)
        told = b""
        while not told.endswith(b"}}") and (part := client.recv(65_536)):
            told += part
    head, _, body = told.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.loads(body)["error"]


@pytest.mark.parametrize(
    ("line", "more", "status", "code"),
    [
        (b"GET /live", WEBSOCKET, 400, "invalid_value"),
        (b"GET " + CHAT.encode(), WEBSOCKET, 400, "invalid_value"),
        (b"GET /live", b"x: a\x01b\r\n", 400, "invalid_value"),
        (b"FOO /live", b"", 400, "invalid_value"),
        (b"CONNECT h:80", b"", 405, "method_not_allowed"),
        (b"OPTIONS *", b"", 404, "not_found"),
        (b"GET /-/routes", b"", 404, "not_found"),
        (b"GET /%2D/routes", b"", 404, "not_found"),
    ],
)
def test_what_nobody_serves_is_refused_in_the_envelope(
    stack: Stack, line: bytes, more: bytes, status: int, code: str
) -> None:
    told, head, error = _raw(stack, line + b" HTTP/1.1\r\nhost: h:80\r\n" + more + b"\r\n")
    assert (told, error["code"]) == (status, code)
    if more is WEBSOCKET:
        assert b"connection: close" in head
        assert b"x-request-id: req-" in head


def test_no_other_user_reaches_what_commands_the_proxy(stack: Stack) -> None:
    path = folder(stack.run_id)
    assert path.stat().st_mode & 0o077 == 0
    sockets = [each for each in path.rglob("*") if each.is_socket()]
    assert sockets
    assert all(each.stat().st_mode & 0o077 == 0 for each in sockets)
