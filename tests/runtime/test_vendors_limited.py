"""All that were asked have reached limits of their own: the caller is told when to come back."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import chat
from tests.runtime.vendors import markets, settled, vendor

ATTEMPTS = {"stream": {"attempts_max": 3}}
TWO_ATTEMPTS = {"stream": {"attempts_max": 2}}


async def refused(
    tmp_path: Path, config: dict[str, Any], *answers: bytes
) -> tuple[int, str, str | None]:
    """Its status, code and Retry-After, where each vendor says one of the answers."""
    async with AsyncExitStack() as exits:
        vendors = [await exits.enter_async_context(vendor([each])) for each in answers]
        s = await exits.enter_async_context(markets(tmp_path, vendors, config))
        answer = await s.post(chat())
        code = (await answer.json())["error"]["code"]
        await s.idle()
        assert all(row["cost_nano_usd"] == 0 for row in settled(s) if row["ending"] == "void")
        return answer.status, code, answer.headers.get("retry-after")


def says(status: int, *headers: str) -> bytes:
    lines = "".join(f"{each}\r\n" for each in headers)
    return f"HTTP/1.1 {status} Said\r\n{lines}content-length: 2\r\n\r\n{{}}".encode()


def limited(seconds: float | None) -> bytes:
    return says(429, *([] if seconds is None else [f"Retry-After: {seconds}"]))


@pytest.mark.parametrize("config", [ATTEMPTS, TWO_ATTEMPTS], ids=["no target", "no attempt left"])
async def test_the_shortest_pause_of_all_is_told(tmp_path: Path, config: dict[str, Any]) -> None:
    told = await refused(tmp_path, config, limited(40), limited(20))
    assert told == (429, "rate_limited_upstream", "20")


async def test_one_that_names_no_pause_is_asked_again_soon(tmp_path: Path) -> None:
    told = await refused(tmp_path, ATTEMPTS, limited(None), limited(None))
    assert told == (429, "rate_limited_upstream", "1")


@pytest.mark.parametrize("config", [ATTEMPTS, TWO_ATTEMPTS], ids=["no target", "no attempt left"])
@pytest.mark.parametrize("other", [500, 503, 401])
async def test_another_failure_among_them_is_no_rate_limit(
    tmp_path: Path, other: int, config: dict[str, Any]
) -> None:
    status, code, _ = await refused(tmp_path, config, limited(20), says(other))
    assert (status, code) != (429, "rate_limited_upstream")
    status, code, _ = await refused(tmp_path / "b", config, says(other), limited(20))
    assert (status, code) != (429, "rate_limited_upstream")
