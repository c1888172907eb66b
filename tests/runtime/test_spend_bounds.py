"""The most that a purchase can cost is known before it is made, and is what caps count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from runtime.request.worst_case import worst_case
from runtime.wire.parse_request import parse_chat, parse_completion
from tests.runtime.parts import MODEL, POOL, Stack, chat
from tests.runtime.vendors import (
    OUTPUT_NANO,
    PROMPT_NANO,
    Vendor,
    market,
    message,
    settled,
    usage,
    vendor,
    whole,
)

WIDE = POOL.model_copy(update={"context_tokens_max": 131_072})
RARE = "ꙮ" * 40_000  # three bytes each, and for some tokenizers three tokens
AN_HOUR = {"spill": {"usd_per_hour_max": "0.05"}, "queue": {"wait_ms_max": 300}}
ROOM = {"spill": {"usd_per_hour_max": "0.50"}}


def _told(prompt: int, completion: int) -> list[bytes]:
    return whole(message("the river", usage=usage(prompt, completion)["usage"]))


def _counted_nano(s: Stack) -> int:
    return s.gateway._scheduler.snapshot(s.gateway.clock.monotonic_s()).spill_nano_last_hour


async def test_a_cap_is_not_passed_by_a_prompt_of_rare_signs(tmp_path: Path) -> None:
    async with (
        vendor(_told(120_000, 3)) as first,
        market(tmp_path, first, None, AN_HOUR, WIDE) as s,
    ):
        answer = await s.post(chat(RARE, max_tokens=3))
        assert answer.status == 429
        assert first.asked == []
        assert _counted_nano(s) == 0


async def test_what_is_settled_is_not_above_what_was_reserved(tmp_path: Path) -> None:
    async with vendor(_told(120_000, 3)) as first, market(tmp_path, first, None, ROOM, WIDE) as s:
        assert (await s.post(chat(RARE, max_tokens=3))).status == 200
        (row,) = settled(s)
        assert row["cost_nano_usd"] == 120_000 * PROMPT_NANO + 3 * OUTPUT_NANO
        assert row["cost_nano_usd"] <= row["bound_nano_usd"] < 125_000 * PROMPT_NANO
        assert _counted_nano(s) == row["cost_nano_usd"]


@pytest.mark.parametrize(("prompt", "completion"), [(900_000_000, 3), (3, 900_000_000)])
async def test_a_vendor_that_counts_what_cannot_be_blocks_nobodys_purchases(
    tmp_path: Path, prompt: int, completion: int
) -> None:
    """For 900,000,000 tokens it would be one bill of 900 or of 1,800 USD."""
    answers = _told(prompt, completion), _told(3, 3)
    async with vendor(*answers) as first, market(tmp_path, first, None, AN_HOUR, WIDE) as s:
        assert (await s.post(chat(max_tokens=3))).status == 200
        (row,) = settled(s)
        assert 0 < row["cost_nano_usd"] <= row["bound_nano_usd"] < 1_000_000
        assert _counted_nano(s) == row["cost_nano_usd"]
        if prompt > completion:
            assert f"{prompt * PROMPT_NANO + 3 * OUTPUT_NANO} nano-USD" in row["derivation"]
            assert "not more than the reserve's bound" in row["derivation"]
        assert (await s.post(chat(max_tokens=3))).status == 200
        least = min(row["cost_nano_usd"] for row in settled(s))
        assert least == 3 * PROMPT_NANO + 3 * OUTPUT_NANO


async def _asked(tmp_path: Path, terms: dict[str, Any], **fields: Any) -> tuple[Vendor, int]:
    """What a vendor is asked, and the bound of that purchase."""
    context = {"context_tokens_max": terms.get("context_tokens_max", 131_072)}
    pool = POOL.model_copy(update=context)
    async with vendor(_told(3, 3)) as first, market(tmp_path, first, pool=pool, terms=terms) as s:
        assert (await s.post(chat(**fields))).status == 200
        (row,) = settled(s)
    return first, row["bound_nano_usd"] // OUTPUT_NANO


@pytest.mark.parametrize(
    ("terms", "asked", "sent", "most"),
    [
        ({}, None, None, 131_072),  # the vendor's context
        ({"context_tokens_max": 8_192}, None, None, 8_192),
        ({"output_tokens_max": 500}, None, 500, 500),
        ({"output_tokens_max": 500}, 20, 20, 20),
        ({}, 20, 20, 20),
    ],
)
async def test_an_answer_is_bounded_by_its_caller_or_by_the_offer(
    tmp_path: Path, terms: dict[str, Any], asked: int | None, sent: int | None, most: int
) -> None:
    first, bound = await _asked(tmp_path, {"name": MODEL, **terms}, max_tokens=asked)
    assert first.asked[0].get("max_tokens") == sent
    assert most <= bound < most + 512


async def test_a_completion_is_bounded_as_the_api_promises(tmp_path: Path) -> None:
    told = message(None, usage=usage(3, 3)["usage"])
    told["choices"] = [{"index": n, "text": "it", "finish_reason": "stop"} for n in range(4)]
    async with vendor(whole(told)) as first, market(tmp_path, first, pool=WIDE) as s:
        body = {"model": MODEL, "prompt": ["a", "b"], "n": 2}
        assert (await s.post(body, path="/completions")).status == 200
        (row,) = settled(s)
    assert first.asked[0]["max_tokens"] == 16
    assert row["bound_nano_usd"] // OUTPUT_NANO in range(4 * 16, 4 * 16 + 512)


TEXTS = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\\u0"), max_size=60
) | st.sampled_from(["𝅘𝅥𝅮" * 9, "क़" * 9])
WRITERS = st.sampled_from([to_json, lambda document: json.dumps(document).encode()])
ROLES = st.sampled_from(["system", "user", "assistant"])


def _bytes(value: Any) -> int:
    """Of every text in a document, composed: a tokenizer that makes each byte a token."""
    from unicodedata import normalize

    if isinstance(value, dict):
        return sum(map(_bytes, value.values())) + sum(map(_bytes, value))
    if isinstance(value, list):
        return sum(map(_bytes, value))
    return len(normalize("NFC", value).encode()) if isinstance(value, str) else 0


@given(st.lists(st.tuples(ROLES, TEXTS), min_size=1, max_size=20), TEXTS, WRITERS)
def test_no_tokenizer_counts_more_than_the_bound(
    said: list[tuple[str, str]], description: str, write: Callable[[Any], bytes]
) -> None:
    tool = {"name": "look", "description": description, "parameters": {"type": "object"}}
    document = {
        "model": MODEL,
        "messages": [{"role": role, "content": text} for role, text in said],
        "tools": [{"type": "function", "function": tool}],
    }
    body = write(document)
    request = parse_chat(body)
    worst = worst_case(request, "".join(request.texts()), body)
    template_tokens = 100 + 5 * len(said)
    assert worst.prompt_tokens >= _bytes(document) + template_tokens


def test_the_bound_is_the_same_however_a_client_writes_its_text() -> None:
    document = {"model": MODEL, "messages": [{"role": "user", "content": RARE}]}
    written = to_json(document), json.dumps(document).encode()
    request = parse_chat(written[0])
    bounds = {worst_case(request, RARE, body).prompt_tokens // 1_000 for body in written}
    assert bounds == {120}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=900))
def test_token_ids_are_counted_as_what_they_are(ids: list[int]) -> None:
    body = to_json({"model": MODEL, "prompt": ids})
    request = parse_completion(body)
    assert worst_case(request, "", body).prompt_tokens >= len(ids) + 1
