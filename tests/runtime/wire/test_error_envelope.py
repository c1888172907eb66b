from __future__ import annotations

import json

import pytest

from runtime import errors
from runtime.error_headers import error_headers
from runtime.errors import BaseloadError
from runtime.wire.error_envelope import (
    ANTHROPIC_ERRORS,
    OPENAI_ERRORS,
    ErrorForm,
    openai_error_frame,
)
from tests.runtime.test_errors import KINDS

FORMS: list[ErrorForm] = [OPENAI_ERRORS, ANTHROPIC_ERRORS]

# What Anthropic's clients make exceptions of.
ANTHROPICS_TYPES = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "api_error",
    "overloaded_error",
    "timeout_error",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_can_be_raised_bare_and_told(kind: type[BaseloadError]) -> None:
    error = kind()
    told = OPENAI_ERRORS.envelope(error, "req-1")["error"]
    assert set(told) == {"message", "type", "param", "code"}
    assert told["message"].startswith(kind.says)
    assert ("req-1" in told["message"]) == (error.status >= 500)
    assert OPENAI_ERRORS.headers(error, "req-1") == error_headers(error)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_can_be_told_to_anthropics_clients(kind: type[BaseloadError]) -> None:
    error = kind()
    told = ANTHROPIC_ERRORS.envelope(error, "req-1")
    assert (told["type"], told["request_id"]) == ("error", "req-1")
    assert set(told["error"]) == {"type", "message"}
    assert told["error"]["type"] in ANTHROPICS_TYPES
    assert (told["error"]["type"] == "api_error") <= (error.status >= 500)
    assert told["error"]["message"].startswith(kind.says)
    headers = ANTHROPIC_ERRORS.headers(error, "req-1")
    assert headers == {**error_headers(error), "request-id": "req-1"}


@pytest.mark.parametrize("form", FORMS)
def test_internal_errors_are_opaque(form: ErrorForm) -> None:
    error = errors.InternalError("KeyError at /srv/runtime/x.py 0xdead")
    assert "0xdead" in str(error)
    assert "0xdead" not in json.dumps(form.envelope(error, "r"))
    assert b"0xdead" not in openai_error_frame(error, 0)


def test_the_error_frame_is_one_frame_even_with_line_ends_in_the_message() -> None:
    raw = openai_error_frame(errors.StreamBroken("a\n\ndata: [DONE]\r\n中"), 12)
    assert raw.startswith(b"data: {")
    assert raw.endswith(b"}\n\n")
    assert raw.count(b"\n") == 2
    told = json.loads(raw[6:])["error"]
    assert told["tokens_billed"] == 12
    assert told["code"] == "incomplete_stream"
