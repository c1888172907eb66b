"""What every answer has, whatever it answers: our id, the caller's beside it, and an envelope."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from runtime.request_limits import LIMITS
from tests.runtime.parts import Stack, chat, stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with stack(tmp_path_factory.mktemp("boundary")) as made:
        yield made


async def _ids(s: Stack, method: str, path: str, **headers: str) -> tuple[list[str], list[str]]:
    """Ours and the caller's, as the answer has them."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = chat(stream=path.endswith("?stream")) if "completions" in path else None
    url = s.url.removesuffix("/v1") + path
    async with s.http.request(method, url, json=body, headers=named) as answer:
        await answer.read()
        return (
            answer.headers.getall("x-request-id", []),
            answer.headers.getall("x-client-request-id", []),
        )


ANSWERS = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/chat/completions?stream"),
    ("POST", "/v1/completions"),  # a chat is no completion: 400
    ("GET", "/v1/models"),
    ("GET", "/ready"),
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/nothing"),
    ("DELETE", "/v1/models"),
]


@pytest.mark.parametrize(("method", "path"), ANSWERS)
async def test_every_answer_has_our_id_and_the_callers_beside_it(
    s: Stack, method: str, path: str
) -> None:
    ours, theirs = await _ids(s, method, path, x_request_id="mine-1")
    assert [each[:4] for each in ours] == ["req-"]
    assert theirs == ["mine-1"]
    _, theirs = await _ids(s, method, path, x_client_request_id="mine-2")
    assert theirs == ["mine-2"]
    again, theirs = await _ids(s, method, path)
    assert again != ours
    assert theirs == []


async def test_the_ledger_knows_ours(s: Stack) -> None:
    (ours,), _ = await _ids(s, *ANSWERS[0], x_request_id="req-000000000000000000000000")
    assert ours in {row.request_id for row in s.rows()}


async def test_an_id_that_no_header_may_hold_breaks_nothing(s: Stack) -> None:
    for value in ("a b", "x" * 1_000, "na\u00efve", "\u6c42"):
        ours, theirs = await _ids(s, *ANSWERS[1], x_request_id=value)
        assert (len(ours), theirs) == (1, [])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/nothing"])
@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": "x" * LIMITS.header_bytes_max},
        {f"x-{number}": "y" for number in range(LIMITS.headers_max + 1)},
    ],
)
async def test_headers_over_their_bounds(s: Stack, path: str, headers: dict[str, str]) -> None:
    asked, rows = s.asked, len(s.rows())
    url = s.url.removesuffix("/v1") + path
    async with s.http.post(url, json=chat(), headers=headers) as answer:
        assert answer.status == 431
        assert answer.headers["x-request-id"].startswith("req-")
        assert json.loads(await answer.read())["error"]["code"] == "header_too_large"
    assert (s.asked, len(s.rows())) == (asked, rows)
